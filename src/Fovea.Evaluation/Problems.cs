namespace Fovea.Evaluation;

/// <summary>Messages about benchmark files.</summary>
internal static class Problems
{
    private const int Most = 20;

    /// <summary>The first of many problems.</summary>
    public static IReadOnlyList<string> Some(IReadOnlyList<string> all) =>
        all.Count <= Most ? all : [.. all.Take(Most), $"and {all.Count - Most} more"];

    /// <summary>Text on one line, cut where it is long.</summary>
    public static string Brief(string text) => Data.Datasets.Brief.Of(text);
}
