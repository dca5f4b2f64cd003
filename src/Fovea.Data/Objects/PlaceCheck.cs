using System.Globalization;

namespace Fovea.Data.Objects;

/// <summary>Whether places lie in their images.</summary>
internal static class PlaceCheck
{
    // Annotators draw a little over the edge; what lies further out is of another image or unit.
    private const double SlackShare = 0.01;
    private const double SlackPixels = 2;

    /// <summary>What is wrong with a place without a look at its image; null for nothing.</summary>
    /// <param name="images">Of the conversation.</param>
    public static string? Problem(ObjectPlace place, int images)
    {
        if (Array.Exists(ObjectFrame.Numbers(place), number => !double.IsFinite(number.Value)))
        {
            return $"{Words(place)} has a number that is not finite";
        }

        if (place.ImageIndex < 0 || place.ImageIndex >= images)
        {
            return images == 0
                ? $"{Words(place)} is in no image: there is none"
                : $"{Words(place)} is in image {place.ImageIndex}, and there are {images}, counted from 0";
        }

        return place.Unit == CoordinateUnit.Pixels ? null : Outside(place, place.Unit == CoordinateUnit.Shares ? (1, 1) : (1000, 1000), 0);
    }

    /// <summary>The place with its corners in order, and what lies a little outside moved to the edge.</summary>
    /// <param name="problem">What is wrong with it; null for nothing.</param>
    public static ObjectPlace Within(ObjectPlace place, ObjectFrame frame, out string? problem)
    {
        var end = frame.End(place.Unit);
        problem = Outside(place, end, place.Unit == CoordinateUnit.Pixels ? SlackPixels : 0);
        if (problem is not null && place.Unit == CoordinateUnit.Pixels)
        {
            problem += $", which has {frame.Width} x {frame.Height} pixels";
        }
        else if (problem is null && place is ObjectBox { Unit: CoordinateUnit.Pixels } box && IsLikeShares(box))
        {
            problem = $"{Words(place)} is smaller than a pixel: numbers from 0 to 1 need bbox_type norm1";
        }

        return ObjectFrame.Of([.. ObjectFrame.Numbers(place).Select(number => Math.Clamp(number.Value, 0, number.IsX ? end.X : end.Y))], place);
    }

    /// <summary>A place for messages.</summary>
    public static string Words(ObjectPlace place)
    {
        var numbers = ObjectFrame.Numbers(place).Select(number => number.Value.ToString("0.###", CultureInfo.InvariantCulture));
        return $"the {(place is ObjectBox ? "box" : "point")} [{string.Join(", ", numbers)}]";
    }

    private static bool IsLikeShares(ObjectBox box) =>
        Array.TrueForAll(ObjectFrame.Numbers(box), number => number.Value is >= 0 and <= 1) && Array.Exists(ObjectFrame.Numbers(box), n => n.Value % 1 != 0);

    private static string? Outside(ObjectPlace place, (double X, double Y) end, double pixels)
    {
        foreach (var (value, isX) in ObjectFrame.Numbers(place))
        {
            var side = isX ? end.X : end.Y;
            var slack = Math.Max(side * SlackShare, pixels);
            if (value < -slack || value > side + slack)
            {
                var which = isX ? "x" : "y";
                return string.Create(CultureInfo.InvariantCulture, $"{Words(place)} is outside its image: {which} is {value:0.###} where {side} ends it");
            }
        }

        return null;
    }
}
