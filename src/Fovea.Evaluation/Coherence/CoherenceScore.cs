namespace Fovea.Evaluation.Coherence;

/// <summary>How one dialogue was answered.</summary>
internal sealed class CoherenceScore
{
    public CoherenceScore(IReadOnlyList<CoherenceTurn> turns, IReadOnlyList<string> answers)
    {
        var said = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        var notes = new List<string>();
        var questions = new List<(int, CoherenceQuestion, bool)>();
        for (var turn = 0; turn < turns.Count; turn++)
        {
            if (turns[turn].Question is not { } question)
            {
                continue;
            }

            var reading = CoherenceReading.Of(answers[turn], question);
            var right = CoherenceReading.IsRight(reading, question);
            questions.Add((turn, question, right));
            notes.Add($"{turn + 1}: {(reading.Count == 0 ? "nothing" : string.Join(" and ", reading))}{(right ? string.Empty : " (wrong)")}");
            if (said.TryGetValue(question.Same, out var before))
            {
                Repeated++;
                if (before.Count > 0 && reading.Count > 0 && !before.SequenceEqual(reading))
                {
                    Contradictions++;
                    notes.Add($"contradicts an earlier answer, {string.Join(" and ", before)}");
                }
            }

            said[question.Same] = reading;
        }

        Questions = questions;
        Note = string.Join("; ", notes);
    }

    public IReadOnlyList<(int Turn, CoherenceQuestion Question, bool Right)> Questions { get; }

    public int Right => Questions.Count(of => of.Right);

    public double Share => Questions.Count == 0 ? 0 : Right / (double)Questions.Count;

    /// <summary>How often a question was asked that had been asked before.</summary>
    public int Repeated { get; }

    public int Contradictions { get; }

    /// <summary>What each answer was read as.</summary>
    public string Note { get; }
}
