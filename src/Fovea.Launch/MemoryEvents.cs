using System.Globalization;

namespace Fovea.Launch;

/// <summary>Processes that the kernel has killed for want of memory.</summary>
internal static class MemoryEvents
{
    private const string Groups = "/sys/fs/cgroup";

    /// <summary>Their number so far in this process's control group, or on the machine; 0 if neither is known.</summary>
    public static long Kills()
    {
        try
        {
            var group = File.ReadLines("/proc/self/cgroup").FirstOrDefault(line => line.StartsWith("0::", StringComparison.Ordinal))?[3..] ?? "/";
            var events = $"{Groups}{group.TrimEnd('/')}/memory.events";
            return Count(File.Exists(events) ? events : File.Exists($"{Groups}/memory.events") ? $"{Groups}/memory.events" : "/proc/vmstat");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    private static long Count(string file)
    {
        var line = File.ReadLines(file).FirstOrDefault(line => line.StartsWith("oom_kill ", StringComparison.Ordinal));
        return line is not null && long.TryParse(line["oom_kill ".Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : 0;
    }
}
