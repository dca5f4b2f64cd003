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
    private const string RowsName = "rows.jsonl";

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
        var rows = Path.Combine(folder, RowsName);
        if (File.Exists(rows))
        {
            return rows;
        }

        using var table = Open(path)!;
        var working = $"{folder}.{Environment.ProcessId}";
        try
        {
            // Ranks of a host come here at the same time: one unpacks, the others take what it made.
            using var alone = FileLock.Take($"{folder}.lock", CancellationToken.None).GetAwaiter().GetResult();
            if (File.Exists(rows))
            {
                return rows;
            }

            Directory.CreateDirectory(working);
            new TableUnpacking(table, working, folder).Write(
                name => RowShape.Known.Contains(name) || named.Contains(name) || (ImageNames.IsLike(name) && table.HoldsBytes(name)), group);
            if (Directory.Exists(folder) && !File.Exists(rows))
            {
                Directory.Delete(folder, recursive: true); // what a cleaner of caches has left of it
            }

            Settle(working, folder);
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

    /// <summary>
    /// Gives a folder that is whole the name under which it is looked for. Not every file system has locks: where another process was first, its folder serves
    /// and this one stays.
    /// </summary>
    internal static void Settle(string working, string folder)
    {
        try
        {
            Directory.Move(working, folder);
        }
        catch (IOException) when (File.Exists(Path.Combine(folder, RowsName)))
        {
            // The same file unpacked in the same way.
        }
    }
}
