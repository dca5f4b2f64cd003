namespace Fovea.Evaluation;

/// <summary>One item of a benchmark: what is asked, in one turn or several, and what is expected.</summary>
internal sealed record BenchmarkItem
{
    /// <summary>Unique in the benchmark; as the files spell it.</summary>
    public required string Id { get; init; }

    /// <summary>Messages of the user, each answered by the model with its own earlier answers as history. The prompt has been applied.</summary>
    public required IReadOnlyList<Message> Turns { get; init; }

    /// <summary>Messages before the first turn that are given, not answered: a system message, earlier questions with their answers.</summary>
    public IReadOnlyList<Message> Before { get; init; } = [];

    /// <summary>The question itself, without the prompt's instructions; for reports.</summary>
    public required string Question { get; init; }

    /// <summary>What a reader is to see as the expected answer; for reports.</summary>
    public required string Expected { get; init; }

    /// <summary>The groups by which scores are broken down: kind of group (<c>question_type</c>) to group (<c>other</c>).</summary>
    public IReadOnlyDictionary<string, string> Groups { get; init; } = new Dictionary<string, string>();

    /// <summary>What the benchmark's own scorer needs.</summary>
    public object? Truth { get; init; }
}
