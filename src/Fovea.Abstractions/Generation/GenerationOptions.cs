namespace Fovea;

/// <summary>
/// How tokens are chosen and when an answer stops. The names and meanings are those of Transformers' <c>generation_config.json</c>.
/// </summary>
public sealed record GenerationOptions
{
    /// <summary>Maximum length of an answer, in tokens; at least 1.</summary>
    public int MaxNewTokens { get; init; } = 1024;

    /// <summary>Sample from the distribution; otherwise greedy: always the most likely token.</summary>
    public bool DoSample { get; init; }

    /// <summary>Divides the logits before sampling; above 0.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Sample from this many most likely tokens; 0 is all.</summary>
    public int TopK { get; init; } = 50;

    /// <summary>Sample from the smallest set of most likely tokens whose probabilities reach this sum; above 0, at most 1.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Makes tokens that occurred already, prompt included, less likely when above 1 (arXiv 1909.05858).</summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>The same seed samples the same tokens; null samples anew each time.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Tokens that end an answer.</summary>
    public IReadOnlyCollection<int> StopIds { get; init; } = [];

    /// <summary>Checks the ranges of all settings.</summary>
    /// <param name="where">Put before each problem, for instance the name of a file.</param>
    /// <exception cref="ConfigException">Lists every value that is out of range.</exception>
    public void Check(string where = "")
    {
        var problems = new List<string>();
        Require(MaxNewTokens > 0, $"max_new_tokens is {MaxNewTokens}, must be at least 1");
        Require(
            !DoSample || (Temperature > 0 && double.IsFinite(Temperature)),
            $"temperature is {Temperature}, must be above 0 (for greedy answers use do_sample: false)");
        Require(TopK >= 0, $"top_k is {TopK}, must be 0 (all) or more");
        Require(TopP is > 0 and <= 1, $"top_p is {TopP}, must be above 0 and at most 1");
        Require(RepetitionPenalty > 0 && double.IsFinite(RepetitionPenalty), $"repetition_penalty is {RepetitionPenalty}, must be above 0");
        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }

        void Require(bool condition, string problem)
        {
            if (!condition)
            {
                problems.Add(where + problem);
            }
        }
    }
}
