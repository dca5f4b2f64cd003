using System.Globalization;

namespace Fovea.Evaluation;

/// <summary>
/// Finds COCO's images by their numbers: <c>COCO_val2014_000000000042.jpg</c> or <c>000000000042.jpg</c>, in a folder or in its folder for the split; of
/// <c>annotations</c>, as COCO's own archives unpack, in the folder around it too.
/// </summary>
/// <param name="root">The folder.</param>
/// <param name="split">What the file of questions says, for instance <c>val2014</c>; null where it says nothing.</param>
internal sealed class CocoImages(string root, string? split)
{
    /// <summary>The folder of COCO's archives that holds files of questions and captions, beside those with images.</summary>
    public const string Annotations = "annotations";

    private static readonly string[] Splits = ["val2014", "train2014", "test2015", "val2017", "train2017"];
    private readonly string[] roots = Path.GetDirectoryName(root) is { } around && Path.GetFileName(root) == Annotations ? [root, around] : [root];
    private readonly List<Func<string, string>> places = [.. Places(split)];

    /// <summary>Where an image would be that is not there: beside those that were found.</summary>
    /// <param name="file">Its name, where the data say one.</param>
    public string Place(string id, string? file = null) => Path.Combine(root, file ?? places[0](id));

    /// <summary>The image's file; null where there is none.</summary>
    /// <param name="id">The number, or another data set's name of the image.</param>
    public string? Find(string id)
    {
        lock (places)
        {
            for (var i = 0; i < places.Count; i++)
            {
                if (Named(places[i](id)) is { } file)
                {
                    // Where one image is, the next one is mostly too.
                    (places[0], places[i]) = (places[i], places[0]);
                    return file;
                }
            }

            return null;
        }
    }

    /// <summary>A file of this name or path; null where there is none.</summary>
    public string? Named(string name) => roots.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <summary>The names that are looked for, for messages.</summary>
    public string Example(string id) => Path.Combine(root, Places(split).First()(id));

    private static IEnumerable<Func<string, string>> Places(string? split)
    {
        foreach (var folder in Splits.Prepend(split).OfType<string>().Distinct())
        {
            yield return id => $"COCO_{folder}_{Twelve(id)}.jpg";
            yield return id => Path.Combine(folder, $"COCO_{folder}_{Twelve(id)}.jpg");
            yield return id => Path.Combine(folder, $"{Twelve(id)}.jpg");
        }

        foreach (var folder in (string[])["", "images", "train_images", "val_images", "test_images"])
        {
            yield return id => Path.Combine(folder, $"{Twelve(id)}.jpg");
            yield return id => Path.Combine(folder, $"{id}.jpg");
            yield return id => Path.Combine(folder, $"{id}.png");
            yield return id => Path.Combine(folder, id);
        }
    }

    private static string Twelve(string id) => long.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        ? number.ToString("D12", CultureInfo.InvariantCulture) : id;
}
