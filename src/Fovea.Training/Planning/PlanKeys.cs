using System.Text.RegularExpressions;
using Fovea.Training.Config;

namespace Fovea.Training.Planning;

/// <summary>Puts <c>zero</c> and <c>offload</c> into the text of a YAML configuration, and leaves everything else as it stands.</summary>
internal static class PlanKeys
{
    /// <summary>The lines that ask for a row's setting.</summary>
    public static IReadOnlyList<string> Lines(MemoryPlanRow row) =>
        row.Kind == OffloadKind.None ? [$"zero: {row.Zero}"] : [$"zero: {row.Zero}", $"offload: {row.Offload}"];

    /// <exception cref="ConfigException">The file asks for ZeRO in another way, or is not made of lines; nothing was written.</exception>
    public static void Write(string path, MemoryPlanRow row)
    {
        var text = TextFile.Read(path);
        foreach (var key in new[] { "deepspeed", "fsdp" })
        {
            if (Line(key).IsMatch(text))
            {
                throw new ConfigException($"{path} has {key}, which would contradict {string.Join(", ", Lines(row))}; remove that key, then --write");
            }
        }

        if (path.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            throw new ConfigException($"--write changes YAML files; add {string.Join(", ", Lines(row))} to {path} yourself");
        }

        var changed = Put(Put(text, "zero", $"{row.Zero}", always: true), "offload", row.Offload, row.Kind != OffloadKind.None);
        var read = TrainConfig.Parse(changed, Path.GetFileName(path), use: ConfigUse.Plan).Parallel;
        if (read.Zero != row.Zero || read.Offload != row.Kind)
        {
            throw new ConfigException($"{path} is not made of lines 'key: value'; add {string.Join(", ", Lines(row))} yourself");
        }

        WriteTarget.Text(path, "--write", changed);
    }

    private static string Put(string text, string key, string value, bool always)
    {
        if (Line(key).IsMatch(text))
        {
            return Line(key).Replace(text, match => $"{key}: {value}{match.Groups["comment"].Value}", 1);
        }

        return always ? $"{text}{(text.Length == 0 || text.EndsWith('\n') ? string.Empty : "\n")}{key}: {value}\n" : text;
    }

    private static Regex Line(string key) =>
        new($@"^{key}[ \t]*:[^#\r\n]*?(?<comment>[ \t]+#[^\r\n]*)?(?=\r?$)", RegexOptions.Multiline | RegexOptions.CultureInvariant);
}
