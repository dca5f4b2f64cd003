using System.Globalization;

namespace Fovea.Hub.Fetching;

/// <summary>Whether a disk has room for what is to come, asked before anything comes.</summary>
internal static class DiskRoom
{
    /// <param name="free">Gives the free bytes below a folder; null asks the system.</param>
    /// <exception cref="HubException">It has not.</exception>
    public static void Check(string folder, long needed, Func<string, long>? free = null)
    {
        long room;
        try
        {
            room = (free ?? Free)(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return; // not every file system says
        }

        if (room < needed)
        {
            throw new HubException(HubFault.NoRoom,
                $"{folder} has {Size(room)} free, and {Size(needed)} are needed; make room, or set HF_HUB_CACHE (or cache_dir) "
                + "to a folder on a larger disk");
        }
    }

    /// <summary>A number of bytes for people.</summary>
    public static string Size(long bytes) => bytes switch
    {
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.#} kB"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.#} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.##} GB"),
    };

    private static long Free(string folder)
    {
        while (!Directory.Exists(folder) && Path.GetDirectoryName(folder) is { } parent)
        {
            folder = parent;
        }

        return new DriveInfo(folder).AvailableFreeSpace;
    }
}
