namespace Fovea;

/// <summary>A whole answer of a <see cref="ModelServer"/>.</summary>
/// <param name="Text">The answer, without what ended it.</param>
/// <param name="Tokens">The tokens of the text.</param>
/// <param name="Reason">Why it ended.</param>
/// <param name="Usage">How many tokens it took.</param>
public sealed record ServedAnswer(string Text, IReadOnlyList<ServedToken> Tokens, StopReason Reason, ServedUsage Usage);
