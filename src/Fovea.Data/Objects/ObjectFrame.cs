namespace Fovea.Data.Objects;

/// <summary>The coordinates of one image: pixels of the original, and what the model counts.</summary>
/// <param name="Width">Of the original, upright, in pixels.</param>
/// <param name="Height">Of the original, upright, in pixels.</param>
/// <param name="ModelWidth">The right side in the model's coordinates.</param>
/// <param name="ModelHeight">The lower side in the model's coordinates.</param>
internal readonly record struct ObjectFrame(int Width, int Height, int ModelWidth, int ModelHeight)
{
    private const double Thousand = 1000;

    /// <summary>What the right and lower sides are in a unit.</summary>
    public (double X, double Y) End(CoordinateUnit unit) => unit switch
    {
        CoordinateUnit.Pixels => (Width, Height),
        CoordinateUnit.Shares => (1, 1),
        _ => (Thousand, Thousand),
    };

    /// <summary>A place in the model's coordinates, whole numbers with halves to even (ms-swift's <c>normalize_bbox</c>).</summary>
    public long[] ToModel(ObjectPlace place)
    {
        var (x, y) = End(place.Unit);
        var (width, height) = (ModelWidth, ModelHeight);
        return Array.ConvertAll(Numbers(place), n => (long)Math.Round(n.Value / (n.IsX ? x : y) * (n.IsX ? width : height)));
    }

    /// <summary>The same place in pixels of the original.</summary>
    public ObjectPlace ToPixels(ObjectPlace place) => Scaled(Numbers(place), End(place.Unit), place.ImageIndex);

    /// <summary>Numbers that a model wrote, in pixels of the original.</summary>
    /// <param name="numbers">Two for a point, four for a box; corners in any order.</param>
    public ObjectPlace FromModel(IReadOnlyList<double> numbers, int image) =>
        Scaled([.. numbers.Select((value, i) => (value, i % 2 == 0))], (ModelWidth, ModelHeight), image);

    /// <summary>The numbers of a place, two or four.</summary>
    public static (double Value, bool IsX)[] Numbers(ObjectPlace place) => place switch
    {
        ObjectBox box => [(box.Left, true), (box.Top, false), (box.Right, true), (box.Bottom, false)],
        ObjectPoint point => [(point.X, true), (point.Y, false)],
        _ => throw new InvalidOperationException($"a place of kind {place.GetType().Name}"),
    };

    /// <summary>A place with these numbers, its corners in order.</summary>
    /// <param name="like">Says unit and image.</param>
    public static ObjectPlace Of(IReadOnlyList<double> numbers, ObjectPlace like) => numbers is [var x, var y]
        ? new ObjectPoint(x, y) { Unit = like.Unit, ImageIndex = like.ImageIndex }
        : new ObjectBox(
            Math.Min(numbers[0], numbers[2]), Math.Min(numbers[1], numbers[3]), Math.Max(numbers[0], numbers[2]), Math.Max(numbers[1], numbers[3]))
        {
            Unit = like.Unit,
            ImageIndex = like.ImageIndex,
        };

    private ObjectPlace Scaled((double Value, bool IsX)[] numbers, (double X, double Y) end, int image)
    {
        var (width, height) = (Width, Height);
        return Of(
            Array.ConvertAll(numbers, n => n.IsX ? n.Value / end.X * width : n.Value / end.Y * height),
            new ObjectPoint(0, 0) { Unit = CoordinateUnit.Pixels, ImageIndex = image });
    }
}
