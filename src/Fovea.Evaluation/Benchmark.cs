namespace Fovea.Evaluation;

/// <summary>A benchmark: reads its official files, says how to ask, and scores the answers by a published rule.</summary>
internal abstract class Benchmark
{
    /// <summary>As the command line spells it, for instance <c>okvqa</c>.</summary>
    public abstract string Name { get; }

    /// <summary>One line for lists of benchmarks.</summary>
    public abstract string Title { get; }

    /// <summary>The scoring rule and its source, printed with every result.</summary>
    public abstract string Rule { get; }

    /// <summary>The recommended prompt, with <c>{question}</c> for the question; printed with every result.</summary>
    public abstract string Prompt { get; }

    /// <summary>Longest answer, in tokens.</summary>
    public abstract int MaxNewTokens { get; }

    /// <summary>Published metrics that are not computed, each with the reason.</summary>
    public virtual IReadOnlyList<string> LeftOut => [];

    /// <summary>Reads the official files.</summary>
    /// <exception cref="ConfigException">A file is missing or malformed; names the file and the place.</exception>
    public abstract IReadOnlyList<BenchmarkItem> Read(BenchmarkInput input);

    /// <summary>Scores answers. The result depends on the items that are given: a part of a benchmark is a benchmark of its own.</summary>
    /// <param name="items">In the order of the files.</param>
    /// <param name="answers">The answers to the turns of each item.</param>
    public abstract BenchmarkScore Score(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers);
}
