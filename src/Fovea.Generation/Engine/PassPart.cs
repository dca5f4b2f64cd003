namespace Fovea.Generation.Engine;

/// <summary>The next tokens of one sequence in a pass.</summary>
/// <param name="Tokens">How many, from the first one that is not in the cache.</param>
internal sealed record PassPart(Sequence Sequence, int Tokens)
{
    public int From => Sequence.Cached;

    public int End => Sequence.Cached + Tokens;

    /// <summary>Whether the sequence's next token can be chosen behind it.</summary>
    public bool Completes => Tokens == Sequence.Ahead;
}
