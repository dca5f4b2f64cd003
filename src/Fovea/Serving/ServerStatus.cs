namespace Fovea;

/// <summary>What a <see cref="ModelServer"/> is doing.</summary>
/// <param name="Queued">Answers that wait for their turn.</param>
/// <param name="Running">Answers that are being generated.</param>
/// <param name="PagesInUse">Pages of keys and values that answers under way hold; what is kept for later prompts does not count.</param>
/// <param name="PagesKept">Pages that nobody reads now, kept because a later prompt may begin with the same.</param>
/// <param name="Pages">Pages that there may be.</param>
/// <param name="PageBytes">Bytes of one page.</param>
public sealed record ServerStatus(int Queued, int Running, int PagesInUse, int PagesKept, int Pages, long PageBytes);
