namespace Fovea.Evaluation.Vqa;

/// <summary>What people answered to one question.</summary>
internal sealed record VqaTruth(string[] Answers)
{
    /// <summary>For readers: each answer with how many gave it, the most frequent first.</summary>
    public string Show() => string.Join(", ", Answers.CountBy(answer => answer.Length > 0 ? answer : "(empty)").OrderByDescending(pair => pair.Value)
        .Select(pair => pair.Value > 1 ? $"{pair.Key} ({pair.Value})" : pair.Key));
}
