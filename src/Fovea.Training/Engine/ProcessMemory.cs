using System.Globalization;

namespace Fovea.Training.Engine;

/// <summary>Memory of this process and of the machine, as Linux counts it, in bytes.</summary>
public static class ProcessMemory
{
    /// <summary>Anonymous resident memory: what the run itself needs, without mapped files.</summary>
    public static long Anonymous => Read("/proc/self/status", "RssAnon:");

    /// <summary>Highest resident memory so far, mapped files included.</summary>
    public static long Peak => Read("/proc/self/status", "VmHWM:");

    /// <summary>What can still be taken before the machine swaps, and not more than the cgroup allows.</summary>
    public static long Available
    {
        get
        {
            var machine = Read("/proc/meminfo", "MemAvailable:");
            var limit = ReadNumber("/sys/fs/cgroup/memory.max");
            return limit is null ? machine : Math.Min(machine, limit.Value - (ReadNumber("/sys/fs/cgroup/memory.current") ?? 0));
        }
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
