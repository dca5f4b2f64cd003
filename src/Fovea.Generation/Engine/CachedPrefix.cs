namespace Fovea.Generation.Engine;

/// <summary>What of a prompt's beginning the cache holds.</summary>
/// <param name="Whole">Pages that are read where they are.</param>
/// <param name="Tail">The page behind them, of which a copy is made; null for none.</param>
/// <param name="Common">Its tokens that are of use.</param>
internal sealed record CachedPrefix(IReadOnlyList<PrefixNode> Whole, PrefixNode? Tail, int Common)
{
    public static CachedPrefix None { get; } = new([], null, 0);

    public int Tokens => (Whole.Count * EngineOptions.PageTokens) + Common;

    /// <summary>The page at whose end it ends; null where there is nothing.</summary>
    public PrefixNode? End => Tail ?? (Whole.Count > 0 ? Whole[^1] : null);
}
