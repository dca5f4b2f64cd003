using System.Buffers.Text;
using System.Text.Json;
using Fovea.Data.Readers;
using static Fovea.Data.Datasets.RowFields;

namespace Fovea.Data.Datasets;

/// <summary>
/// Images as rows hold them: the name of one beside the row, a path, a data URI, base64, or an object of <c>path</c> and <c>bytes</c> as Hugging Face's data
/// sets have it.
/// </summary>
/// <param name="mediaDir">Where images are that a row names.</param>
/// <param name="row">The row.</param>
/// <param name="mustExist">Whether an image that is not there is a problem; otherwise its name stands for it.</param>
internal sealed class ImageValues(string mediaDir, Row row, bool mustExist)
{
    // A path has at most 4,096 bytes; longer text can only be an image itself.
    private const int LongestPath = 4096;
    /// <summary>Most bytes of an image inside a row, once base64 is decoded.</summary>
    internal const int MostBytes = 64 << 20;

    private const string Inline = "data:";

    // JPEG, PNG, GIF and WebP begin so once they are base64.
    private static readonly string[] Beginnings = ["/9j/", "iVBORw0KGgo", "R0lGOD", "UklGR"];

    /// <summary>An object that stands for one image.</summary>
    internal static bool IsOne(JsonElement value) =>
        value.ValueKind == JsonValueKind.Object && (value.TryGetProperty("path", out _) || value.TryGetProperty("bytes", out _));

    /// <summary>Text that is an image or an address, so that no comma in it parts two paths.</summary>
    internal static bool IsWhole(string text) => IsInline(text) || IsAddress(text);

    internal static bool IsInline(string text) => text.StartsWith(Inline, StringComparison.OrdinalIgnoreCase);

    internal static bool IsAddress(string text)
    {
        var scheme = text.AsSpan(0, Math.Min(text.Length, 20)).IndexOf("://", StringComparison.Ordinal);
        return scheme > 1 && !text.AsSpan(0, scheme).ContainsAnyExcept(Letters);
    }

    internal static bool IsBase64Image(string text) =>
        Array.Exists(Beginnings, beginning => text.StartsWith(beginning, StringComparison.Ordinal)) && text.Length >= 32 && Base64.IsValid(text);

    private static ReadOnlySpan<char> Letters => "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.";

    /// <summary>One image, or null and an entry in <paramref name="problems"/>. <paramref name="what"/>: the field, and the place in it.</summary>
    internal MediaSource? Read(JsonElement value, string what, List<string> problems)
    {
        if (value.ValueKind == JsonValueKind.String)
        {
            return TextOf(value, what, problems) is { } text ? FromText(text, what, problems) : null;
        }

        if (!IsOne(value))
        {
            var found = value.ValueKind == JsonValueKind.Object ? $"an object of {Brief.List([.. value.EnumerateObject().Select(p => p.Name)])}" : Kind(value);
            problems.Add($"{what} must be text (a path, a data URI or base64) or an object with path or bytes, not {found}");
            return null;
        }

        if (value.TryGetProperty("bytes", out var bytes) && bytes.ValueKind != JsonValueKind.Null)
        {
            return TextOf(bytes, $"{what}.bytes", problems) is { } base64
                ? IsInline(base64) ? FromUri(base64, what, problems) : FromBase64(base64, what, "bytes", problems)
                : null;
        }

        if (value.TryGetProperty("path", out var path) && path.ValueKind != JsonValueKind.Null)
        {
            return TextOf(path, $"{what}.path", problems) is { } text ? FromText(text, what, problems) : null;
        }

        problems.Add($"{what} has neither path nor bytes: both are null");
        return null;
    }

    internal MediaSource? FromText(string text, string what, List<string> problems)
    {
        if (row.Find(text) is { } beside)
        {
            return beside;
        }

        if (IsInline(text))
        {
            return FromUri(text, what, problems);
        }

        if (IsAddress(text))
        {
            problems.Add($"{what} is the address {Brief.Of(text)}: nothing is downloaded, save the image as a file and give its path");
            return null;
        }

        if (text.Length <= LongestPath)
        {
            var inMedia = Path.Combine(mediaDir, text);
            if (File.Exists(inMedia))
            {
                return inMedia;
            }

            if (File.Exists(text))
            {
                return text;
            }
        }

        if (IsBase64Image(text) || (text.Length > LongestPath && Base64.IsValid(text)))
        {
            return FromBase64(text, what, "its text", problems);
        }

        if (!mustExist && text.Length <= LongestPath)
        {
            return Path.Combine(mediaDir, text);
        }

        problems.Add(text.Length > LongestPath ? $"{what} is neither a path nor base64: '{Brief.Of(text)}'"
            : Directory.Exists(Path.Combine(mediaDir, text)) ? $"image '{Brief.Of(text)}' is a folder, not a file (media_dir is {mediaDir})"
            : $"image '{Brief.Of(text, 200)}' does not exist (media_dir is {mediaDir}){UserPath.NotInRows(text)}");
        return null;
    }

    private static MediaSource? FromUri(string text, string what, List<string> problems)
    {
        var comma = text.AsSpan(0, Math.Min(text.Length, 200)).IndexOf(',');
        if (comma < 0 || !text.AsSpan(0, comma).EndsWith(";base64", StringComparison.OrdinalIgnoreCase))
        {
            problems.Add($"{what} is a data URI, but not of the form data:image/png;base64,...: '{Brief.Of(text)}'");
            return null;
        }

        return FromBase64(text.AsSpan(comma + 1), what, "its data URI", problems);
    }

    private static MediaSource? FromBase64(ReadOnlySpan<char> text, string what, string where, List<string> problems)
    {
        if (!Base64.IsValid(text, out var length))
        {
            problems.Add($"{what}: {where} of {text.Length:N0} characters is not valid base64: '{Brief.Of(text.ToString())}'");
            return null;
        }

        if (length > MostBytes)
        {
            problems.Add($"{what}: {where} holds {length / (double)(1 << 20):N0} MiB; images inside rows may have {MostBytes >> 20} MiB, "
                + "save it as a file and give its path");
            return null;
        }

        var bytes = new byte[length];
        return Convert.TryFromBase64Chars(text, bytes, out var written) && written == length
            ? MediaSource.FromBytes(bytes, what)
            : throw new InvalidOperationException("base64 that is valid was not decoded");
    }
}
