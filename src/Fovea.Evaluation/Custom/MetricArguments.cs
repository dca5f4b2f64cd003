using System.Globalization;

namespace Fovea.Evaluation.Custom;

/// <summary>The settings of a metric as <c>key=value</c>. What no metric asks for is refused.</summary>
internal sealed class MetricArguments
{
    private readonly string metric;
    private readonly Dictionary<string, string> given = new(StringComparer.Ordinal);
    private readonly List<string> known = [];
    private readonly List<string> problems = [];

    public MetricArguments(string metric, IEnumerable<string> words)
    {
        this.metric = metric;
        foreach (var word in words)
        {
            var at = word.IndexOf('=');
            if (at <= 0)
            {
                problems.Add($"--metric-arg {word}: write it as key=value");
            }
            else if (!given.TryAdd(word[..at], word[(at + 1)..]))
            {
                problems.Add($"--metric-arg {word[..at]} is given twice");
            }
        }
    }

    public string? Text(string key)
    {
        known.Add(key);
        return given.GetValueOrDefault(key);
    }

    public bool Flag(string key, bool otherwise)
    {
        var text = Text(key);
        if (text is not (null or "true" or "false"))
        {
            problems.Add($"--metric-arg {key}={text}: true or false is expected");
        }

        return text is null ? otherwise : text == "true";
    }

    public double Number(string key, double otherwise, double least = 0, double most = double.MaxValue)
    {
        var text = Text(key);
        if (text is null)
        {
            return otherwise;
        }

        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
        {
            return number;
        }

        problems.Add($"--metric-arg {key}={text}: a number {(most < double.MaxValue ? $"from {least} to {most}" : $"of at least {least}")} is expected");
        return otherwise;
    }

    /// <exception cref="ConfigException">An argument is malformed, or the metric has none of that name.</exception>
    public void Check()
    {
        foreach (var key in given.Keys.Except(known))
        {
            problems.Add($"--metric-arg {key}: the metric {metric} has "
                + (known.Count == 0 ? "no settings" : $"only {string.Join(", ", known)}"));
        }

        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }
    }
}
