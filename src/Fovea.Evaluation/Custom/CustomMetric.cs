namespace Fovea.Evaluation.Custom;

/// <summary>A metric by name, for rows with expected answers.</summary>
internal abstract class CustomMetric
{
    private static readonly Dictionary<string, Func<MetricArguments, CustomMetric>> ByName = new(StringComparer.Ordinal)
    {
        ["exact"] = arguments => new ExactMetric(arguments),
        ["contains"] = arguments => new ContainsMetric(arguments),
        ["numeric"] = arguments => new NumericMetric(arguments),
        ["anls"] = arguments => new AnlsMetric(arguments),
        ["f1"] = arguments => new WordF1Metric(),
        ["json"] = arguments => new JsonMetric(arguments),
        ["iou"] = arguments => new BoxMetric(arguments),
        ["regex"] = arguments => new RegexMetric(arguments),
    };

    /// <summary>Their names.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. ByName.Keys];

    /// <summary>What the number is called.</summary>
    public abstract string Name { get; }

    /// <summary>The rule, in words.</summary>
    public abstract string Rule { get; }

    /// <summary>Names of further numbers, which are means too.</summary>
    public virtual IReadOnlyList<string> Others => [];

    /// <param name="answer">The model's.</param>
    /// <param name="expected">The best of these counts; at least one.</param>
    public abstract CustomScore Score(string answer, IReadOnlyList<string> expected);

    /// <param name="words">Settings as <c>key=value</c>.</param>
    /// <exception cref="ConfigException">There is no such metric, or a setting is wrong.</exception>
    public static CustomMetric Of(string? name, IEnumerable<string> words)
    {
        if (name is null || !ByName.TryGetValue(name, out var create))
        {
            var problem = name is null ? "--metric is missing" : $"--metric {name}: there is none of that name";
            throw new ConfigException($"{problem}; it is one of {string.Join(", ", Names)}");
        }

        var arguments = new MetricArguments(name, words);
        var metric = create(arguments);
        arguments.Check();
        return metric;
    }
}
