using System.Text.Json;
using System.Text.RegularExpressions;

namespace Fovea.Data.Datasets;

/// <summary>Recognises fields that hold images by name and content, so that none is left out of training unseen.</summary>
internal static partial class ImageNames
{
    private static readonly HashSet<string> Images =
        ["image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "pic", "pics", "jpg", "jpeg", "png"];

    private static readonly HashSet<string> Places = ["path", "paths", "file", "files", "filename", "filenames", "bytes", "list"];

    private static readonly HashSet<string> Addresses = ["name", "names", "url", "urls", "uri", "uris", "src", "data", "base64", "b64"];

    /// <summary>By its name the field could hold images.</summary>
    internal static bool IsLike(string name) => Words(name).Any(Images.Contains);

    /// <summary>
    /// The field is named as one of images and holds paths, addresses, data or objects of them. Where the row's images are found elsewhere, a second name or
    /// address of them is none.
    /// </summary>
    /// <param name="hasImages">The row has images that are read.</param>
    internal static bool IsImage(string name, JsonElement value, bool hasImages)
    {
        var words = Words(name);
        if (!words.Any(Images.Contains))
        {
            return false;
        }

        var isPlain = words.All(word => Images.Contains(word) || Places.Contains(word));
        var isSure = isPlain || words.All(word => Images.Contains(word) || Places.Contains(word) || Addresses.Contains(word));
        return hasImages ? isPlain && IsImage(value, sure: true) : IsImage(value, isSure);
    }

    private static bool IsImage(JsonElement value, bool sure) => value.ValueKind switch
    {
        JsonValueKind.String => IsImage(value.GetString()!, sure),
        JsonValueKind.Object => ImageValues.IsOne(value) || (sure && value.EnumerateObject().Any(p => IsImage(p.Value, sure))),
        JsonValueKind.Array => value.EnumerateArray().Any(item => IsImage(item, sure)),
        _ => false,
    };

    private static bool IsImage(string text, bool sure) =>
        ImageValues.IsWhole(text) || ImageValues.IsBase64Image(text) || Ending().IsMatch(text) || (sure && text.Length > 0 && !text.Any(char.IsWhiteSpace));

    // imagePath, image-path and image_path_2 are the same words.
    private static List<string> Words(string name) =>
        [.. Word().Matches(name).Select(match => match.Value.ToLowerInvariant())];

    [GeneratedRegex(@"\.(?:jpe?g|jfif|png|webp|gif|bmp|tiff?|heic|avif)(?:\?.*)?\s*$", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Ending();

    [GeneratedRegex(@"[A-Z]?[a-z]+|[A-Z]+|\b64\b", RegexOptions.CultureInvariant)]
    private static partial Regex Word();
}
