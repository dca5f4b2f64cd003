using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Fovea.Data.Readers;

/// <summary>Opens data files, and reads the bytes of a row.</summary>
internal static class RowBytes
{
    /// <exception cref="ConfigException">The file is missing or cannot be opened.</exception>
    internal static SafeFileHandle Open(string path)
    {
        try
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        }
        catch (Exception e) when (TextFile.IsUnreadable(e))
        {
            throw new ConfigException($"data file {path} {TextFile.WhyNot(path, e)}");
        }
    }

    /// <exception cref="JsonException">The file ends before the row does.</exception>
    internal static byte[] Read(SafeFileHandle handle, string path, (long Start, int Length) place)
    {
        var bytes = new byte[place.Length];
        for (var filled = 0; filled < bytes.Length;)
        {
            var read = RandomAccess.Read(handle, bytes.AsSpan(filled), place.Start + filled);
            filled += read > 0 ? read : throw new JsonException($"cannot be read: {path} has become shorter since it was opened");
        }

        return bytes;
    }

    /// <summary>What Git leaves of a large file until its LFS has fetched it.</summary>
    /// <exception cref="ConfigException">The file is such a pointer.</exception>
    internal static void RefusePointer(string path, ReadOnlySpan<byte> start)
    {
        if (start.StartsWith("version https://git-lfs"u8))
        {
            throw new ConfigException($"data file {path} is a Git LFS pointer, not the data: fetch it with git lfs pull, or download the file itself");
        }
    }
}
