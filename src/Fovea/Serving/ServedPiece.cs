namespace Fovea;

/// <summary>A piece of an answer as it is generated.</summary>
/// <param name="Index">Which of the answers to the request it belongs to, from 0.</param>
/// <param name="Text">Whole characters; empty only in a last piece.</param>
/// <param name="Tokens">
/// The tokens whose text begins here or was not told before. A stop token and those of a stop string are not among them; together with the other pieces they
/// are the tokens of the text.
/// </param>
public sealed record ServedPiece(int Index, string Text, IReadOnlyList<ServedToken> Tokens)
{
    /// <summary>Why the answer ended; null but in the last piece of each answer.</summary>
    public StopReason? Reason { get; init; }

    /// <summary>The tokens of the answer; null but in its last piece.</summary>
    public ServedUsage? Usage { get; init; }
}
