using System.Globalization;
using System.Text;

namespace Fovea.Evaluation.Tables;

/// <summary>
/// One row of a benchmark's table, from whatever kind of file. A cell is text, a number, truth, a list, or null; columns are found under any of several names,
/// without regard to case unless the name is one letter. A cell that is empty or the word nan, as pandas writes what is missing, is missing.
/// </summary>
/// <param name="file">The file it is from.</param>
/// <param name="place">Where in the file, in words.</param>
/// <param name="cells">Without images.</param>
internal sealed class TableRow(string file, string place, IReadOnlyDictionary<string, object?> cells)
{
    public string File => file;

    /// <summary>The file and where in it, in words.</summary>
    public string Place => $"{file}, {place}";

    /// <summary>Whether it has an image, which is not read where only scores are asked for.</summary>
    public bool HasPicture { get; set; }

    /// <summary>What the row calls its image; null where it gives no name.</summary>
    public string? PictureName { get; set; }

    /// <summary>In the order of the row.</summary>
    public IReadOnlyList<Picture> Pictures { get; set; } = [];

    /// <summary>The row is to be asked: its images must be there.</summary>
    /// <exception cref="ConfigException">One is not.</exception>
    public void RequirePictures()
    {
        if (Pictures.Select(picture => picture.Problem).FirstOrDefault(problem => problem is not null) is { } problem)
        {
            throw problem;
        }
    }

    /// <summary>Images by the column that they are in, where each has its own (<c>image_1</c>).</summary>
    public IReadOnlyDictionary<string, Picture> Named { get; set; } = new Dictionary<string, Picture>();

    public IEnumerable<string> Columns => cells.Keys;

    /// <exception cref="ConfigException">Always; names the place.</exception>
    public ConfigException Problem(string what) => new($"{file}, {place}: {what}");

    public bool Has(params ReadOnlySpan<string> names) => Find(names) is not null;

    /// <summary>A cell as text, numbers as they are written; null where it is missing.</summary>
    public string? TextOrNull(params ReadOnlySpan<string> names) => Find(names) switch
    {
        null => null,
        List<object?> items => string.Join(", ", items.Select(Show)),
        var cell => Show(cell),
    };

    /// <exception cref="ConfigException">The cell is missing.</exception>
    public string Text(params ReadOnlySpan<string> names) => TextOrNull(names) ?? throw Missing(names);

    /// <summary>A list of texts: a list, a cell with a list as Python prints it, or one text.</summary>
    /// <exception cref="ConfigException">The cell is missing, or an empty list.</exception>
    public IReadOnlyList<string> Texts(params ReadOnlySpan<string> names)
    {
        var texts = Find(names) switch
        {
            null => throw Missing(names),
            List<object?> items => items.ConvertAll(Show),
            var cell => PythonLiteral.List(Show(cell)) ?? [Show(cell)],
        };
        return texts.Count > 0 ? texts : throw Problem($"{names[0]} is an empty list");
    }

    /// <summary>The same where the list may hold structures, of each of which one field is meant.</summary>
    /// <exception cref="ConfigException">The cell is missing, or an empty list.</exception>
    public IReadOnlyList<string> TextsOf(string field, params ReadOnlySpan<string> names) => Find(names) is List<object?> { Count: > 0 } items
        && items.TrueForAll(item => item is List<KeyValuePair<string, object?>> fields && fields.Exists(pair => pair.Key == field))
            ? items.ConvertAll(item => Show(((List<KeyValuePair<string, object?>>)item!).Find(pair => pair.Key == field).Value))
            : Texts(names);

    /// <summary>A list of texts, and only that; null where the cell is missing or something else.</summary>
    public IReadOnlyList<string>? ListOrNull(params ReadOnlySpan<string> names) => Find(names) switch
    {
        List<object?> items => items.ConvertAll(Show),
        string text => PythonLiteral.List(text),
        _ => null,
    };

    /// <summary>A number; null where the cell is missing.</summary>
    /// <exception cref="ConfigException">The cell holds something else.</exception>
    public double? NumberOrNull(params ReadOnlySpan<string> names) => TextOrNull(names) is not { } text ? null
        : PythonFloat.Parse(text) is { } number && double.IsFinite(number) ? number
        : throw Problem($"{names[0]} must be a number, not {Problems.Brief(text)}");

    private ConfigException Missing(ReadOnlySpan<string> names) => Problem(
        $"{string.Join(" or ", names.ToArray())} is missing; the row has {Data.Datasets.Brief.List([.. cells.Keys])}");

    private object? Find(ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            var cell = cells.TryGetValue(name, out var exact) ? exact
                : name.Length > 1 ? cells.FirstOrDefault(pair => pair.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Value
                : null;
            if (cell is not null and not "" and not "nan" and not double.NaN)
            {
                return cell;
            }
        }

        return null;
    }

    private static string Show(object? cell) => cell switch
    {
        null => string.Empty,
        string text => text,
        bool truth => truth ? "True" : "False",
        long number => number.ToString(CultureInfo.InvariantCulture),
        double number => PythonJson.Float(number),
        byte[] bytes => Encoding.UTF8.GetString(bytes),
        List<object?> items => $"[{string.Join(", ", items.Select(Show))}]",
        List<KeyValuePair<string, object?>> fields => $"{{{string.Join(", ", fields.Select(field => $"{field.Key}: {Show(field.Value)}"))}}}",
        _ => cell.ToString() ?? string.Empty,
    };
}
