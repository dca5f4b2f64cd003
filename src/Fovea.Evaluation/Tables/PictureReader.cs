using System.Buffers.Text;
using System.Text.RegularExpressions;
using Fovea.Data.Images;

namespace Fovea.Evaluation.Tables;

/// <summary>
/// The images of a table's rows: base64 (one, or a list as Python prints it), bytes, Hugging Face's structures of bytes and path, and names of files. A short
/// text in place of base64 is the index of the row whose image is used, which may come later.
/// </summary>
internal sealed partial class PictureReader : IDisposable
{
    // VLMEvalKit's own bound: an image in base64 is longer.
    private const int LongestIndex = 64;
    private const string Inline = "data:";
    private readonly string path;
    private readonly BenchmarkInput input;
    private readonly PictureStore store;
    private readonly Dictionary<string, IReadOnlyList<Picture>> byIndex = new(StringComparer.Ordinal);
    private readonly List<(TableRow Row, string Index)> borrowed = [];

    public PictureReader(string path, BenchmarkInput input)
    {
        this.path = path;
        this.input = input;
        store = new PictureStore(path);
    }

    /// <summary>Whether a column of that name holds images.</summary>
    public static bool IsPicture(string column) => Column().IsMatch(column);

    /// <summary>Gives the row its images.</summary>
    /// <param name="number">The row's, from 0.</param>
    /// <param name="cells">Those of columns that hold images.</param>
    /// <exception cref="ConfigException">An image is malformed.</exception>
    public void Read(TableRow row, int number, IReadOnlyList<KeyValuePair<string, object?>> cells)
    {
        var (pictures, named) = (new List<Picture>(), new Dictionary<string, Picture>(StringComparer.OrdinalIgnoreCase));
        var index = row.TextOrNull("index");
        row.HasPicture = cells.Any(pair => Values(pair.Value).Any());
        row.PictureName = cells.Select(pair => Name(pair.Key, pair.Value)).FirstOrDefault(name => name is not null);
        foreach (var (name, cell) in cells.Where(pair => !IsPath(pair.Key) || !Holds(cells)).OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            if (!input.ScoresOnly && index is not null && !IsPath(name) && cell is string { Length: > 0 and <= LongestIndex } other && IsIndex(other))
            {
                borrowed.Add((row, other));
                return;
            }

            foreach (var one in Values(cell))
            {
                // For scores alone, what is read anyway tells the image's size.
                if (!input.ScoresOnly || one is not string)
                {
                    var picture = Picture(row, name, number, pictures.Count, one);
                    named[name] = picture;
                    pictures.Add(picture);
                }
            }
        }

        row.Pictures = pictures;
        row.Named = named;
        if (index is not null && pictures.Count > 0)
        {
            byIndex.TryAdd(index, pictures);
        }
    }

    /// <summary>All rows have been read: images that other rows have are found, and the store is whole.</summary>
    /// <exception cref="ConfigException">There is no such row, or it has no image itself.</exception>
    public void Complete()
    {
        foreach (var (row, index) in borrowed)
        {
            row.Pictures = byIndex.GetValueOrDefault(index) ?? throw row.Problem($"takes the image of row '{Problems.Brief(index)}', which has none");
        }

        store.Complete();
    }

    public void Dispose() => store.Dispose();

    // Where a row has the image itself, its path is only the image's name.
    private static bool IsPath(string column) => column.Contains("path", StringComparison.OrdinalIgnoreCase);

    private static bool Holds(IReadOnlyList<KeyValuePair<string, object?>> cells) => cells.Any(pair => !IsPath(pair.Key) && pair.Value is not (null or ""));

    private static bool IsIndex(string text) =>
        !text.StartsWith(Inline, StringComparison.OrdinalIgnoreCase) && (Path.GetExtension(text).Length is <= 1 or > 5 || PythonFloat.Parse(text) is not null);

    private static bool IsEncoded(string text) => text.Length > LongestIndex && Base64.IsValid(text);

    private static IEnumerable<object> Values(object? cell) => cell switch
    {
        null or "" or "nan" => [],
        string text when text[0] == '[' && PythonLiteral.List(text) is { } list => list,
        List<object?> items => items.OfType<object>(),
        _ => [cell],
    };

    private Picture Picture(TableRow row, string column, int number, int count, object value)
    {
        switch (value)
        {
            case byte[] bytes:
                return Save(row, column, number, count, bytes);
            case List<KeyValuePair<string, object?>> fields when Field(fields, "bytes") is byte[] bytes:
                return Save(row, column, number, count, bytes);
            case List<KeyValuePair<string, object?>> fields when Field(fields, "path") is string file:
                return FromFile(row, file);
            case string text when text.StartsWith(Inline, StringComparison.OrdinalIgnoreCase) && text.IndexOf(',') is var comma and > 0:
                return Save(row, column, number, count, Decode(row, column, text[(comma + 1)..]));
            case string text when !IsPath(column) && (text.Length > 4096 || IsEncoded(text)):
                return Save(row, column, number, count, Decode(row, column, text));
            case string text:
                return FromFile(row, text);
            default:
                throw row.Problem($"{column} must be base64, bytes or the path of an image");
        }
    }

    private static string? Name(string column, object? cell) => cell switch
    {
        string { Length: > 0 } text when IsPath(column) => text,
        List<KeyValuePair<string, object?>> fields => Field(fields, "path") as string,
        _ => null,
    };

    private static object? Field(List<KeyValuePair<string, object?>> fields, string name) => fields.Find(field => field.Key == name).Value;

    private static byte[] Decode(TableRow row, string column, string text)
    {
        try
        {
            return Convert.FromBase64String(text);
        }
        catch (FormatException)
        {
            throw row.Problem($"{column} of {text.Length} characters is not valid base64: '{Problems.Brief(text)}'");
        }
    }

    private Picture Save(TableRow row, string column, int number, int count, byte[] bytes)
    {
        try
        {
            using var stream = new MemoryStream(bytes, writable: false);
            var header = ImageHeader.Parse(stream, column);
            return new Picture(input.ScoresOnly ? MediaSource.FromFile(path) : store.Save(number, count, bytes), header.UprightSize);
        }
        catch (ImageException e)
        {
            throw row.Problem(e.Message);
        }
    }

    private Picture FromFile(TableRow row, string name)
    {
        var file = Path.Combine(input.Images ?? Path.GetDirectoryName(Path.GetFullPath(path))!, name);
        return File.Exists(file) ? new Picture(file, Size(row, file))
            : new Picture(file, null) { Problem = input.ScoresOnly ? null : row.Problem($"the image {file} does not exist; name the folder of the images") };
    }

    private static (int Width, int Height)? Size(TableRow row, string file)
    {
        try
        {
            using var stream = MediaSource.FromFile(file).Open();
            return ImageHeader.Parse(stream, file).UprightSize;
        }
        catch (Exception e) when (e is ImageException or IOException or UnauthorizedAccessException)
        {
            throw row.Problem(e.Message);
        }
    }

    [GeneratedRegex("^(?:images?|image_?paths?|img|imgname|image_[0-9]+|image_file|image_filename)$", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Column();
}
