namespace Fovea.Generation.Engine;

/// <summary>A page of the cache that prompts may share: what its tokens are, behind those of its parents.</summary>
internal sealed class PrefixNode
{
    public PrefixNode(PrefixNode? parent, long[] keys, int page) => (Parent, Keys, Page) = (parent, keys, page);

    public PrefixNode? Parent { get; }

    /// <summary>What its tokens are (<see cref="TokenKeys"/>): a whole page, or the tail of a sequence that ended.</summary>
    public long[] Keys { get; }

    public int Page { get; }

    public List<PrefixNode> Children { get; } = [];

    /// <summary>The slot of the states behind its last token; null where none is kept.</summary>
    public int? State { get; set; }

    /// <summary>Sequences that read it now; it cannot be evicted then.</summary>
    public int Users { get; set; }

    /// <summary>When it was used last; greater is later.</summary>
    public long Used { get; set; }

    public bool IsWhole => Keys.Length == EngineOptions.PageTokens;
}
