using System.Text.Json;
using Fovea.Evaluation.Vqa;

namespace Fovea.Evaluation.Captions;

/// <summary>
/// Reads captions of images: COCO's <c>captions_val2014.json</c>, and Karpathy's <c>dataset_coco.json</c>, of whose splits <c>test</c> is meant. Images
/// stand in the order of the file's list of images, which the tokenizer's result depends on.
/// </summary>
internal static class CaptionFiles
{
    private const string Test = "test";

    /// <summary>The images with their captions; null where the file is of another form.</summary>
    /// <exception cref="ConfigException">It is malformed.</exception>
    public static List<(string Id, string[] Captions, string? File)>? Read(string path)
    {
        using var document = JsonFile.Read(path, "the file of captions");
        var root = document.RootElement;
        return root.ValueKind != JsonValueKind.Object ? null
            : root.TryGetProperty("annotations", out _) ? Coco(root, path)
            : root.TryGetProperty("images", out var images) && images.ValueKind == JsonValueKind.Array ? Karpathy(root, path)
            : null;
    }

    private static List<(string, string[], string?)> Coco(JsonElement root, string path)
    {
        var captions = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        var order = new List<(string Id, string? File)>();
        if (root.TryGetProperty("images", out _))
        {
            foreach (var (place, row) in OfficialJson.Rows(root, "images", path))
            {
                var id = OfficialJson.Id(row, "id", place);
                order.Add(captions.TryAdd(id, []) ? (id, OfficialJson.TextOrNull(row, "file_name"))
                    : throw new ConfigException($"{place}: the image {id} stands twice"));
            }
        }

        var hasImages = order.Count > 0;
        foreach (var (place, row) in OfficialJson.Rows(root, "annotations", path))
        {
            var id = OfficialJson.Id(row, "image_id", place);
            if (!captions.TryGetValue(id, out var some))
            {
                order.Add(hasImages ? throw new ConfigException($"{place}: the image {id} is not in the file's list of images") : (id, null));
                captions[id] = some = [];
            }

            some.Add(OfficialJson.Text(row, "caption", place));
        }

        return [.. order.Where(image => captions[image.Id].Count > 0).Select(image => (image.Id, captions[image.Id].ToArray(), image.File))];
    }

    private static List<(string, string[], string?)> Karpathy(JsonElement root, string path)
    {
        var images = new List<(string, string[], string?)>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var rows = OfficialJson.Rows(root, "images", path).ToList();
        var isSplit = rows.Exists(row => OfficialJson.TextOrNull(row.Row, "split") == Test);
        foreach (var (place, row) in rows.Where(row => !isSplit || OfficialJson.TextOrNull(row.Row, "split") == Test))
        {
            var id = OfficialJson.Id(row, row.TryGetProperty("cocoid", out _) ? "cocoid" : "imgid", place);
            var file = OfficialJson.TextOrNull(row, "filename") is { } name
                ? Path.Combine(OfficialJson.TextOrNull(row, "filepath") ?? string.Empty, name) : null;
            if (!seen.Add(id))
            {
                throw new ConfigException($"{place}: the image {id} stands twice");
            }

            images.Add((id, [.. OfficialJson.Rows(row, "sentences", place).Select(sentence => OfficialJson.Text(sentence.Row, "raw", sentence.Place))], file));
        }

        return images;
    }

    /// <summary>The file of an image: as its data names it, or by COCO's names.</summary>
    /// <param name="isAsked">Whether it must be there.</param>
    /// <exception cref="ConfigException">There is none.</exception>
    internal static Image Picture(CocoImages images, string id, string? file, string path, bool isAsked) =>
        file is not null && (images.Named(file) ?? images.Named(Path.GetFileName(file))) is { } named
            ? Image.FromFile(named)
            : file is not null && !isAsked
            ? Image.FromFile(images.Place(id, file))
            : VqaFiles.Picture(images, id, $"{path}, image {id}", isAsked);
}
