using System.Security.Cryptography;
using System.Text;
using Fovea.Data.Arrow;
using Fovea.Data.Datasets;
using Fovea.Data.Parquet;

namespace Fovea.Data.Tables;

/// <summary>
/// Parquet and Arrow files of rows with the bytes of their images, as Hugging Face's datasets and MiniMind-3V have them: unpacked once into a folder of JSON
/// lines and image files under the user's cache, from where rows can be read in any order.
/// </summary>
internal static class TableRows
{
    /// <summary>Opens a table; null for a file of another kind.</summary>
    /// <exception cref="ConfigException">The file is missing, damaged or no such table.</exception>
    public static ITable? Open(string path) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".parquet" => new ParquetFile(path),
        ".arrow" => new ArrowFile(path),
        _ => null,
    };

    /// <summary>The file of JSON lines that stands for a table; made when it is not there. Depends on path, length and time of the file.</summary>
    /// <param name="columns">Fields that a description names, beside those that are known; null without one.</param>
    /// <param name="group">One group of rows alone; null is all.</param>
    /// <exception cref="ConfigException">The file cannot be read or the cache not be written.</exception>
    public static string Unpack(string path, DatasetColumns? columns, int? group = null)
    {
        var file = new FileInfo(path);
        var named = columns?.Named.Except(RowShape.Known).Order(StringComparer.Ordinal).ToArray() ?? [];
        var key = $"{file.FullName} {(file.Exists ? file.Length : 0)} {file.LastWriteTimeUtc.Ticks} 3 {string.Join(' ', named)}"
            + (group is null ? string.Empty : $" group {group}");
        var kind = Path.GetExtension(path).ToLowerInvariant()[1..];
        var folder = Path.Combine(CacheFolder.Path, kind, Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..24]);
        var rows = Path.Combine(folder, "rows.jsonl");
        if (File.Exists(rows))
        {
            return rows;
        }

        using var table = Open(path)!;
        var working = $"{folder}.{Environment.ProcessId}";
        try
        {
            Directory.CreateDirectory(working);
            new TableUnpacking(table, working, folder).Write(
                name => RowShape.Known.Contains(name) || named.Contains(name) || (ImageNames.IsLike(name) && table.HoldsBytes(name)), group);
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
}
