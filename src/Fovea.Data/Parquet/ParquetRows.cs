using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Fovea.Data.Parquet;

/// <summary>
/// Parquet files of conversations and the bytes of their images, as MiniMind-3V publishes them: unpacked once into a folder of JSON lines and image files
/// under the user's cache, from where rows can be read in any order.
/// </summary>
internal static class ParquetRows
{
    public static bool IsParquet(string path) => path.EndsWith(".parquet", StringComparison.OrdinalIgnoreCase);

    /// <summary>The file of JSON lines that stands for a parquet file; made when it is not there. Depends on path, length and time of the file.</summary>
    /// <exception cref="ConfigException">The file cannot be read or the cache not be written.</exception>
    public static string Unpack(string path)
    {
        var file = new FileInfo(path);
        var key = $"{file.FullName} {(file.Exists ? file.Length : 0)} {file.LastWriteTimeUtc.Ticks} 1";
        var folder = Path.Combine(Root(), Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..24]);
        var rows = Path.Combine(folder, "rows.jsonl");
        if (File.Exists(rows))
        {
            return rows;
        }

        using var parquet = new ParquetFile(path);
        var working = $"{folder}.{Environment.ProcessId}";
        try
        {
            Directory.CreateDirectory(working);
            Write(parquet, working, folder);
            if (Directory.Exists(folder) && !File.Exists(rows))
            {
                Directory.Delete(folder, recursive: true); // what a cleaner of caches has left of it
            }

            if (!Directory.Exists(folder))
            {
                Directory.Move(working, folder);
            }

            return rows;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException($"data file {path} cannot be unpacked into {folder}: {e.Message}");
        }
        finally
        {
            if (Directory.Exists(working))
            {
                Directory.Delete(working, recursive: true);
            }
        }
    }

    private static string Root() => Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache
            ? cache
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "fovea", "parquet");

    private static void Write(ParquetFile parquet, string working, string folder)
    {
        using var rows = new FileStream(Path.Combine(working, "rows.jsonl"), FileMode.Create);
        using var images = parquet.Has("image_bytes") ? parquet.Read("image_bytes").GetEnumerator() : null;
        var index = 0;
        foreach (var conversation in parquet.Read("conversations"))
        {
            using (var json = new Utf8JsonWriter(rows))
            {
                json.WriteStartObject();
                json.WritePropertyName("conversations");
                WriteConversation(json, conversation);
                if (images is not null && images.MoveNext() && images.Current.Count > 0)
                {
                    json.WriteStartArray("images");
                    for (var i = 0; i < images.Current.Count; i++)
                    {
                        // A thousand rows a folder: a file system's listing stays short.
                        var name = Path.Combine("images", $"{index / 1000:0000}", $"{index}-{i}.{Ending(images.Current[i])}");
                        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(working, name))!);
                        File.WriteAllBytes(Path.Combine(working, name), images.Current[i]);
                        json.WriteStringValue(Path.Combine(folder, name));
                    }

                    json.WriteEndArray();
                }

                json.WriteEndObject();
            }

            rows.WriteByte((byte)'\n');
            index++;
        }
    }

    /// <summary>The column holds JSON as text; what is no JSON goes in as text, so that reading the row says what is wrong with it.</summary>
    private static void WriteConversation(Utf8JsonWriter json, IReadOnlyList<byte[]> values)
    {
        try
        {
            using var document = JsonText.Parse(TextFile.Check(values.Count == 1 ? values[0] : "null"u8.ToArray(), "conversations"));
            document.RootElement.WriteTo(json);
        }
        catch (Exception e) when (e is JsonException or ConfigException)
        {
            json.WriteStringValue(Encoding.UTF8.GetString(values[0]));
        }
    }

    private static string Ending(byte[] image) => image switch
    {
        [0xFF, 0xD8, ..] => "jpg",
        [0x89, 0x50, ..] => "png",
        [0x52, 0x49, 0x46, 0x46, ..] => "webp",
        _ => "image",
    };
}
