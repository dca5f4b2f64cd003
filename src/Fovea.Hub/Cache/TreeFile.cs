using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Fovea.Hub.Cache;

/// <summary>
/// The listing of a commit in the cache (<c>trees/COMMIT.json</c>), as the other client writes it: with it both know offline whether a folder is whole.
/// </summary>
internal static class TreeFile
{
    private const int Version = 1;

    /// <summary>The listing, or null where none is kept.</summary>
    public static IReadOnlyList<HubFile>? Read(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            using var json = JsonFile.ReadObject(path);
            return json.RootElement.GetProperty("format_version").GetInt32() != Version ? null
                : [.. json.RootElement.GetProperty("files").EnumerateObject().Select(Entry).Where(file => HubFile.IsSafe(file.Path))];
        }
        catch (Exception e) when (e is ConfigException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null; // it is fetched again
        }
    }

    public static void Write(string path, IEnumerable<HubFile> files)
    {
        var text = new StringBuilder("{\n \"format_version\": ").Append(Version).Append(",\n \"files\": {");
        var separator = string.Empty;
        foreach (var file in files.OrderBy(file => file.Path, CodePoints))
        {
            text.Append(separator).Append("\n  ");
            PythonJson.AppendText(text, file.Path, ascii: true);
            text.Append(CultureInfo.InvariantCulture, $": {{\n   \"size\": {file.Size},\n   \"blob_id\": \"{file.BlobId}\"");
            if (file.Sha256 is not null)
            {
                text.Append(CultureInfo.InvariantCulture, $",\n   \"lfs_sha256\": \"{file.Sha256}\",\n   \"lfs_size\": {file.Size}");
            }

            if (file.XetHash is not null)
            {
                text.Append(",\n   \"xet_hash\": ");
                PythonJson.AppendText(text, file.XetHash, ascii: true);
            }

            text.Append("\n  }");
            separator = ",";
        }

        AtomicFile.WriteText(path, text.Append(separator.Length > 0 ? "\n }\n}" : "}\n}").ToString());
    }

    private static readonly IComparer<string> CodePoints =
        Comparer<string>.Create((a, b) => Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(b)));

    private static HubFile Entry(JsonProperty entry) => new(
        entry.Name,
        entry.Value.TryGetProperty("lfs_size", out var size) ? size.GetInt64() : entry.Value.GetProperty("size").GetInt64(),
        entry.Value.GetProperty("blob_id").GetString()!,
        entry.Value.TryGetProperty("lfs_sha256", out var sha256) ? sha256.GetString() : null,
        entry.Value.TryGetProperty("xet_hash", out var xet) ? xet.GetString() : null);
}
