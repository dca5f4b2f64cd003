using System.Security.Cryptography;
using System.Text;
using Fovea.Data.Datasets;

namespace Fovea.Data.Parquet;

/// <summary>
/// Parquet files of rows with the bytes of their images, as Hugging Face's datasets and MiniMind-3V have them: unpacked once into a folder of JSON lines
/// and image files under the user's cache, from where rows can be read in any order.
/// </summary>
internal static class ParquetRows
{
    public static bool IsParquet(string path) => path.EndsWith(".parquet", StringComparison.OrdinalIgnoreCase);

    /// <summary>The file of JSON lines that stands for a parquet file; made when it is not there. Depends on path, length and time of the file.</summary>
    /// <param name="columns">Fields that a description names, beside those that are known; null without one.</param>
    /// <exception cref="ConfigException">The file cannot be read or the cache not be written.</exception>
    public static string Unpack(string path, DatasetColumns? columns)
    {
        var file = new FileInfo(path);
        var named = columns?.Named.Except(RowShape.Known).Order(StringComparer.Ordinal).ToArray() ?? [];
        var key = $"{file.FullName} {(file.Exists ? file.Length : 0)} {file.LastWriteTimeUtc.Ticks} 3 {string.Join(' ', named)}";
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
            new ParquetUnpacking(parquet, working, folder).Write(name =>
                RowShape.Known.Contains(name) || named.Contains(name) || (ImageNames.IsLike(name) && parquet.HoldsBytes(name)));
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

    private static string Root() => Path.Combine(CacheFolder.Path, "parquet");
}
