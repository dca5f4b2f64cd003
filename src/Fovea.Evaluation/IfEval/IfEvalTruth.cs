namespace Fovea.Evaluation.IfEval;

/// <summary>What a prompt of IFEval asks for.</summary>
/// <param name="Prompt">By which answers made elsewhere are found.</param>
/// <param name="Ids">Of the instructions.</param>
/// <param name="Rules">One for each.</param>
internal sealed record IfEvalTruth(string Prompt, IReadOnlyList<string> Ids, IReadOnlyList<Predicate<string>> Rules)
{
    /// <summary>For each instruction, whether the response as it stands follows it, and whether one of eight readings of it does.</summary>
    public (bool Strict, bool Loose)[] Follow(string response)
    {
        var readings = Readings(response).Where(reading => PythonText.Trim(reading).Length > 0).ToList();
        var isBlank = PythonText.Trim(response).Length == 0;
        return [.. Rules.Select(rule => (!isBlank && rule(response), readings.Exists(reading => rule(reading))))];
    }

    /// <summary>As it stands, and without the first line, the last line or both, each with and without asterisks.</summary>
    private static IEnumerable<string> Readings(string response)
    {
        var lines = response.Split('\n');
        string[] plain =
        [
            response, PythonText.Trim(string.Join('\n', lines.Skip(1))), PythonText.Trim(string.Join('\n', lines.SkipLast(1))),
            PythonText.Trim(string.Join('\n', lines.Skip(1).SkipLast(1))),
        ];
        return plain.Concat(plain.Select(reading => reading.Replace("*", string.Empty, StringComparison.Ordinal)));
    }
}
