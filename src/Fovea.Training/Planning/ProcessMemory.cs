using System.Globalization;

namespace Fovea.Training.Planning;

/// <summary>Memory of this process and of the machine, as Linux counts it, in bytes.</summary>
internal static class ProcessMemory
{
    /// <summary>Anonymous resident memory: what the run itself needs, without mapped files.</summary>
    public static long Anonymous => Read("/proc/self/status", "RssAnon:");

    /// <summary>Highest resident memory so far, mapped files included.</summary>
    public static long Peak => Read("/proc/self/status", "VmHWM:");

    /// <summary>What can still be taken before the machine swaps, and not more than any control group around this process allows.</summary>
    public static long Available
    {
        get
        {
            var membership = File.Exists("/proc/self/cgroup") ? File.ReadAllLines("/proc/self/cgroup") : [];
            return Math.Min(Read("/proc/meminfo", "MemAvailable:"), AllowedBy("/sys/fs/cgroup", membership) ?? long.MaxValue);
        }
    }

    /// <summary>Free space of the disk where a folder is, or will be made.</summary>
    public static long FreeDisk(string folder)
    {
        var place = Path.GetFullPath(folder);
        while (!Directory.Exists(place) && Path.GetDirectoryName(place) is { } parent)
        {
            place = parent;
        }

        return new DriveInfo(place).AvailableFreeSpace;
    }

    /// <summary>
    /// What control groups leave free, in bytes, or null without a limit. Pages of files that the group holds are given back when memory is short:
    /// they count as free.
    /// </summary>
    /// <param name="root">Where the control groups are mounted.</param>
    /// <param name="membership">Lines of <c>/proc/self/cgroup</c>: <c>0::/path</c> for version 2, <c>4:memory:/path</c> for version 1.</param>
    public static long? AllowedBy(string root, IReadOnlyList<string> membership)
    {
        long? least = null;
        foreach (var line in membership)
        {
            var parts = line.Split(':', 3);
            if (parts.Length < 3 || !(parts[1].Length == 0 || parts[1].Split(',').Contains("memory")))
            {
                continue;
            }

            var (mount, limit, usage) = parts[1].Length == 0
                ? (root, "memory.max", "memory.current")
                : (Path.Combine(root, "memory"), "memory.limit_in_bytes", "memory.usage_in_bytes");

            // Inside a container the path may name folders that only the host sees: those are passed over.
            for (var path = parts[2].Trim('/'); ; path = Path.GetDirectoryName(path) ?? string.Empty)
            {
                var folder = Path.Combine(mount, path);
                if (ReadNumber(Path.Combine(folder, limit)) is { } most and < 1L << 60)
                {
                    var used = ReadNumber(Path.Combine(folder, usage)) ?? 0;
                    var files = ReadFiles(Path.Combine(folder, "memory.stat"));
                    var free = Math.Max(0, most - Math.Max(0, used - files));
                    least = Math.Min(least ?? long.MaxValue, free);
                }

                if (path.Length == 0)
                {
                    break;
                }
            }
        }

        return least;
    }

    private static long ReadFiles(string path)
    {
        var sum = 0L;
        foreach (var line in File.Exists(path) ? File.ReadAllLines(path) : [])
        {
            // Version 2 counts all below as well; version 1 says so with a prefix, whose absence only makes the answer smaller.
            if (line.StartsWith("inactive_file ", StringComparison.Ordinal) || line.StartsWith("active_file ", StringComparison.Ordinal))
            {
                sum += long.Parse(line[(line.IndexOf(' ', StringComparison.Ordinal) + 1)..], CultureInfo.InvariantCulture);
            }
        }

        return sum;
    }

    private static long Read(string file, string key)
    {
        foreach (var line in File.ReadLines(file))
        {
            if (line.StartsWith(key, StringComparison.Ordinal))
            {
                return long.Parse(line[key.Length..].Replace("kB", string.Empty, StringComparison.Ordinal), CultureInfo.InvariantCulture) * 1024;
            }
        }

        return 0;
    }

    private static long? ReadNumber(string file) =>
        File.Exists(file) && long.TryParse(File.ReadAllText(file), NumberStyles.Integer, CultureInfo.InvariantCulture, out var n) ? n : null;
}
