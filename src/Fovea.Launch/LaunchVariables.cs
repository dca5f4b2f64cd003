using System.Collections;
using System.Globalization;

namespace Fovea.Launch;

/// <summary>The environment, read by name; what cannot be understood is collected, to be reported at once.</summary>
internal sealed class LaunchVariables(IReadOnlyDictionary<string, string> values)
{
    private readonly List<string> problems = [];

    public static LaunchVariables FromEnvironment()
    {
        var values = new Dictionary<string, string>();
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            values[(string)entry.Key] = (string?)entry.Value ?? string.Empty;
        }

        return new LaunchVariables(values);
    }

    /// <summary>A variable's value; null where it is absent or empty.</summary>
    public string? Text(string name) => values.TryGetValue(name, out var value) && !string.IsNullOrWhiteSpace(value) ? value.Trim() : null;

    /// <summary>The first of several names that is set.</summary>
    public string? First(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (Text(name) is { } value)
            {
                return value;
            }
        }

        return null;
    }

    public bool Has(params ReadOnlySpan<string> names) => First(names) is not null;

    /// <summary>The switches of LLaMA-Factory: <c>1</c>, <c>y</c> and <c>true</c> mean yes.</summary>
    public bool Enabled(string name) => Text(name)?.ToLowerInvariant() is "1" or "y" or "yes" or "true";

    /// <summary>A whole number from <paramref name="least"/> on, of the first name that is set; anything else is a problem.</summary>
    public int? Count(int least, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (Text(name) is not { } text)
            {
                continue;
            }

            if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= least)
            {
                return value;
            }

            problems.Add($"{name} is {text}: it must be a whole number from {least} on");
            return null;
        }

        return null;
    }

    /// <summary>Nodes: a number, or torchrun's <c>least:most</c> with both the same.</summary>
    public int? Nodes()
    {
        var name = Has("NNODES") ? "NNODES" : "PET_NNODES";
        if (Text(name)?.Split(':') is not [var least, var most])
        {
            return Count(1, name);
        }

        if (least == most && int.TryParse(least, NumberStyles.None, CultureInfo.InvariantCulture, out var nodes) && nodes > 0)
        {
            return nodes;
        }

        problems.Add($"{name} is {Text(name)}: the number of nodes cannot change while a run goes on; give one number");
        return null;
    }

    /// <summary>Processes of a node: a number, or torchrun's <c>auto</c>, <c>gpu</c> and <c>cpu</c>.</summary>
    public int? Processes(int gpus, int processors)
    {
        var name = Has("NPROC_PER_NODE") ? "NPROC_PER_NODE" : "PET_NPROC_PER_NODE";
        switch (Text(name)?.ToLowerInvariant())
        {
            case "auto":
                return Math.Max(1, gpus);
            case "gpu" when gpus > 0:
                return gpus;
            case "gpu":
                problems.Add($"{name} is gpu, and no GPU is found");
                return null;
            case "cpu":
                return processors;
            default:
                return Count(1, name);
        }
    }

    public int? Port()
    {
        var port = Count(1, "MASTER_PORT", "PET_MASTER_PORT");
        if (port > ushort.MaxValue)
        {
            problems.Add($"MASTER_PORT is {port}: ports end at {ushort.MaxValue}");
        }

        return port;
    }

    public void Problem(string problem) => problems.Add(problem);

    /// <exception cref="ConfigException">Something could not be understood.</exception>
    public void Check()
    {
        if (problems.Count > 0)
        {
            throw new ConfigException([.. problems]);
        }
    }
}
