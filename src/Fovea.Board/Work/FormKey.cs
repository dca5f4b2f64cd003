namespace Fovea.Board.Work;

/// <summary>A key of a configuration, as the page on them describes it.</summary>
/// <param name="Default">As text; empty where it has to be given, or is empty.</param>
/// <param name="Values">What it may be, in words.</param>
internal sealed record FormKey(string Key, string Section, string Default, string Values, string Meaning);
