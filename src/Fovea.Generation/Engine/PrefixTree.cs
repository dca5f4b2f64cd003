namespace Fovea.Generation.Engine;

/// <summary>
/// What the pages of a cache hold, as a tree: a node's tokens come behind those of its parents. A sequence pins the whole pages that it reads; pages that
/// nobody reads stay until they are needed, those unused for longest go first.
/// </summary>
internal sealed class PrefixTree(PagePool pool)
{
    private readonly PrefixNode root = new(null, [], -1);
    private readonly Dictionary<string, PrefixNode> adapters = [];
    private readonly HashSet<PrefixNode> leaves = [];
    private long now;

    /// <summary>Pages that nobody reads, which could be had by forgetting them.</summary>
    public int Evictable { get; private set; }

    /// <summary>The whole pages that hold the beginning of these tokens, and the page that holds the most of what follows.</summary>
    /// <param name="keys">Tokens of a sequence.</param>
    /// <param name="most">Most tokens that are of use.</param>
    /// <param name="adapter">Keys and values depend on it, so each has a tree of its own.</param>
    public (List<PrefixNode> Whole, PrefixNode? Next, int Common) Find(ReadOnlySpan<long> keys, int most, string? adapter)
    {
        var whole = new List<PrefixNode>();
        var node = Root(adapter, create: false);
        while (node is not null)
        {
            var rest = keys[(whole.Count * EngineOptions.PageTokens)..most];
            var (best, common) = ((PrefixNode?)null, 0);
            foreach (var child in node.Children)
            {
                var length = rest.CommonPrefixLength(child.Keys);
                if (length > common)
                {
                    (best, common) = (child, length);
                }
            }

            if (best is null || !best.IsWhole || common < EngineOptions.PageTokens)
            {
                return (whole, best, common);
            }

            whole.Add(best);
            node = best;
        }

        return (whole, null, 0);
    }

    public void Pin(PrefixNode node)
    {
        if (node.Users++ == 0)
        {
            Evictable--;
        }

        node.Used = ++now;
    }

    public void Unpin(PrefixNode node)
    {
        if (--node.Users == 0)
        {
            Evictable++;
        }

        node.Used = ++now;
    }

    /// <summary>
    /// Takes over a page that holds these tokens behind <paramref name="parent"/>. Where another one holds the same, the page is given back and the other
    /// returned. A new node has no users yet.
    /// </summary>
    public PrefixNode Add(PrefixNode? parent, string? adapter, ReadOnlySpan<long> keys, int page)
    {
        parent ??= Root(adapter, create: true)!;
        foreach (var child in parent.Children)
        {
            if (keys.SequenceEqual(child.Keys))
            {
                pool.Give(page);
                child.Used = ++now;
                return child;
            }
        }

        var node = new PrefixNode(parent, keys.ToArray(), page) { Used = ++now };
        parent.Children.Add(node);
        leaves.Remove(parent);
        leaves.Add(node);
        Evictable++;
        return node;
    }

    /// <summary>Gives back the pages that nobody reads and that were unused for longest.</summary>
    /// <returns>How many there were of them, at most as many as asked for.</returns>
    public int Evict(int pages)
    {
        var given = 0;
        while (given < pages && leaves.Where(leaf => leaf.Users == 0).MinBy(leaf => leaf.Used) is { } oldest)
        {
            Remove(oldest);
            given++;
        }

        return given;
    }

    private void Remove(PrefixNode leaf)
    {
        var parent = leaf.Parent!;
        parent.Children.Remove(leaf);
        leaves.Remove(leaf);
        pool.Give(leaf.Page);
        Evictable--;
        if (parent.Children.Count == 0 && parent.Page >= 0)
        {
            leaves.Add(parent);
        }
    }

    private PrefixNode? Root(string? adapter, bool create)
    {
        if (adapter is null)
        {
            return root;
        }

        if (!adapters.TryGetValue(adapter, out var node) && create)
        {
            adapters.Add(adapter, node = new PrefixNode(null, [], -1));
        }

        return node;
    }
}
