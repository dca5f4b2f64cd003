namespace Fovea.Evaluation;

/// <summary>Puts a question into its prompt.</summary>
internal static class Questions
{
    private const string Place = "{question}";

    /// <param name="prompt">With <c>{question}</c>; everything else stands as it is.</param>
    /// <exception cref="ConfigException">The prompt has no place for the question.</exception>
    public static string Ask(string prompt, string question) => prompt.Contains(Place, StringComparison.Ordinal)
        ? prompt.Replace(Place, question, StringComparison.Ordinal)
        : throw new ConfigException($"the prompt \"{Problems.Brief(prompt)}\" has no {Place}, which stands for the question");
}
