using System.Text;
using System.Text.Json;
using Fovea.Data.Datasets;
using static Fovea.Data.Datasets.RowFields;

namespace Fovea.Data.Objects;

/// <summary>
/// The objects of a row in ms-swift's form: an object with <c>ref</c> (names), <c>bbox</c> (boxes of four numbers, points of two), <c>bbox_type</c> and
/// <c>image_id</c>. The text says where they go: <c>&lt;ref-object&gt;</c> takes the next name, <c>&lt;bbox&gt;</c> the next place.
/// </summary>
/// <param name="Names">In order.</param>
/// <param name="Places">In order.</param>
internal sealed record RowObjects(IReadOnlyList<ObjectName> Names, IReadOnlyList<ObjectPlace> Places)
{
    /// <summary>Stands in a text for a name.</summary>
    public const string NameMark = "<ref-object>";

    /// <summary>Stands in a text for a box or point.</summary>
    public const string PlaceMark = "<bbox>";

    private static readonly string[] Known = ["ref", "bbox", "bbox_type", "image_id"];

    /// <summary>What ms-swift calls a unit, and thousandths, which it does not read.</summary>
    public static IReadOnlyDictionary<string, CoordinateUnit> Units { get; } = new Dictionary<string, CoordinateUnit>
    {
        ["real"] = CoordinateUnit.Pixels,
        ["norm1"] = CoordinateUnit.Shares,
        ["norm1000"] = CoordinateUnit.Thousandths,
    };

    /// <summary>Whether a field of a row without a description is such an object: others may have the name too.</summary>
    public static bool IsLike(JsonElement value)
    {
        using var parsed = Parsed(value);
        var given = parsed?.RootElement ?? value;
        return given.ValueKind == JsonValueKind.Object && (given.TryGetProperty("bbox", out _) || given.TryGetProperty("ref", out _));
    }

    /// <summary>The objects, or null and at least one more problem.</summary>
    /// <param name="column">The field.</param>
    /// <param name="value">Such an object, or one as JSON text.</param>
    /// <param name="unit">What its numbers count where it does not say so itself.</param>
    public static RowObjects? Read(string column, JsonElement value, CoordinateUnit unit, List<string> problems)
    {
        using var parsed = Parsed(value);
        value = parsed?.RootElement ?? value;
        if (value.ValueKind != JsonValueKind.Object)
        {
            problems.Add($"{column} must be an object with ref and bbox, not {Kind(value)}");
            return null;
        }

        var before = problems.Count;
        foreach (var property in value.EnumerateObject().Where(property => !Known.Contains(property.Name) && !IsEmpty(property.Value)))
        {
            problems.Add($"{column}: '{Brief.Of(property.Name)}' is not known; it may have {string.Join(", ", Known)}");
        }

        if (Text(value, "bbox_type", problems) is { } named && !Units.TryGetValue(named, out unit))
        {
            problems.Add($"{column}.bbox_type is '{Brief.Of(named)}'; it must be {string.Join(", ", Units.Keys)}");
        }

        var names = Items(value, "ref", column, problems).Select((name, i) => TextOf(name, $"{column}.ref[{i}]", problems)).OfType<string>()
            .Select(name => new ObjectName(name)).ToList();
        var boxes = Items(value, "bbox", column, problems);
        var images = ImagesOf(value, column, boxes.Count, problems);
        var places = boxes.Select((box, i) => Place(box, $"{column}.bbox[{i}]", unit, images.Count == 0 ? 0 : images[Math.Min(i, images.Count - 1)], problems))
            .OfType<ObjectPlace>().ToList();
        return problems.Count == before ? new RowObjects(names, places) : null;
    }

    /// <summary>How many names and places the texts have room for.</summary>
    public static (int Names, int Places) Room(IEnumerable<string> texts)
    {
        var (names, places) = (0, 0);
        foreach (var text in texts)
        {
            names += Count(text, NameMark);
            places += Count(text, PlaceMark);
        }

        return (names, places);
    }

    private static int Count(string text, string mark)
    {
        var count = 0;
        for (var at = text.IndexOf(mark, StringComparison.Ordinal); at >= 0; at = text.IndexOf(mark, at + mark.Length, StringComparison.Ordinal))
        {
            count++;
        }

        return count;
    }

    /// <summary>JSON that is written as text, as in a CSV table; null for anything else.</summary>
    private static JsonDocument? Parsed(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String || value.GetString() is not { } text || !text.AsSpan().TrimStart().StartsWith("{"))
        {
            return null;
        }

        try
        {
            return JsonText.Parse(Encoding.UTF8.GetBytes(text));
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static IReadOnlyList<JsonElement> Items(JsonElement objects, string name, string column, List<string> problems)
    {
        if (!objects.TryGetProperty(name, out var list) || list.ValueKind == JsonValueKind.Null)
        {
            return [];
        }

        if (list.ValueKind == JsonValueKind.Array)
        {
            return [.. list.EnumerateArray()];
        }

        problems.Add($"{column}.{name} must be a list, not {Kind(list)}");
        return [];
    }

    private static IReadOnlyList<int> ImagesOf(JsonElement objects, string column, int boxes, List<string> problems)
    {
        var before = problems.Count;
        var images = new List<int>();
        foreach (var item in Items(objects, "image_id", column, problems))
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetDouble(out var number) || number != Math.Floor(number) || number is < 0 or > int.MaxValue)
            {
                problems.Add($"{column}.image_id[{images.Count}] must be the number of an image, from 0, not {Brief.Of(item.GetRawText(), 40)}");
                break;
            }

            images.Add((int)number);
        }

        if (problems.Count == before && images.Count > 0 && images.Count != boxes)
        {
            problems.Add($"{column}.image_id has {images.Count} numbers where bbox has {boxes}");
        }

        return images;
    }

    private static ObjectPlace? Place(JsonElement box, string what, CoordinateUnit unit, int image, List<string> problems)
    {
        if (box.ValueKind != JsonValueKind.Array || box.GetArrayLength() is not (2 or 4))
        {
            problems.Add($"{what} must be four numbers [x1, y1, x2, y2], or two of a point [x, y], not {Brief.Of(box.GetRawText(), 60)}");
            return null;
        }

        var numbers = new List<double>();
        foreach (var number in box.EnumerateArray())
        {
            if (number.ValueKind != JsonValueKind.Number || !number.TryGetDouble(out var value) || !double.IsFinite(value))
            {
                problems.Add($"{what} must hold numbers, not {Brief.Of(number.GetRawText(), 40)}");
                return null;
            }

            numbers.Add(value);
        }

        return ObjectFrame.Of(numbers, new ObjectPoint(0, 0) { Unit = unit, ImageIndex = image });
    }
}
