namespace Fovea.Generation.Engine;

/// <summary>
/// What the pages of a cache hold, as a tree: a node's tokens come behind those of its parents. A sequence pins the whole pages that it reads; pages that
/// nobody reads stay until they are needed, those unused for longest go first. States behind some of them are copied by who goes on from there, so that each
/// can be forgotten at any time.
/// </summary>
/// <param name="states">Null where no layer has a state.</param>
internal sealed class PrefixTree(PagePool pool, StatePool? states = null)
{
    private readonly PrefixNode root = new(null, [], -1);
    private readonly Dictionary<string, PrefixNode> adapters = [];
    private readonly HashSet<PrefixNode> leaves = [];
    private readonly HashSet<PrefixNode> stated = [];
    private long now;

    /// <summary>Pages that nobody reads, which could be had by forgetting them.</summary>
    public int Evictable { get; private set; }

    /// <summary>The whole pages that hold the beginning of these tokens, and the page that holds the most of what follows.</summary>
    /// <param name="keys">Tokens of a sequence.</param>
    /// <param name="most">Most tokens that are of use.</param>
    /// <param name="adapter">Keys and values depend on it, so each has a tree of its own.</param>
    public CachedPrefix Find(ReadOnlySpan<long> keys, int most, string? adapter)
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
                return new CachedPrefix(whole, best, common);
            }

            whole.Add(best);
            node = best;
        }

        return new CachedPrefix(whole, null, 0);
    }

    /// <summary>The same as far as there is a state to go on from.</summary>
    public CachedPrefix FindState(ReadOnlySpan<long> keys, int most, string? adapter)
    {
        var (found, whole) = (CachedPrefix.None, new List<PrefixNode>());
        for (var node = Root(adapter, create: false); node is not null;)
        {
            PrefixNode? next = null;
            foreach (var child in node.Children)
            {
                if (!keys[(whole.Count * EngineOptions.PageTokens)..most].StartsWith(child.Keys))
                {
                    continue;
                }

                next = child.IsWhole ? child : next;
                if (child.State is not null && (whole.Count * EngineOptions.PageTokens) + child.Keys.Length > found.Tokens)
                {
                    found = child.IsWhole ? new CachedPrefix([.. whole, child], null, 0) : new CachedPrefix([.. whole], child, child.Keys.Length);
                }
            }

            if (next is not null)
            {
                whole.Add(next);
            }

            node = next;
        }

        return found;
    }

    /// <summary>From now on these are the states behind a page.</summary>
    public void Keep(PrefixNode node, int state)
    {
        node.State = state;
        stated.Add(node);
    }

    /// <summary>The states behind a page are the caller's from now on.</summary>
    public int Lose(PrefixNode node)
    {
        var state = node.State!.Value;
        node.State = null;
        stated.Remove(node);
        return state;
    }

    /// <summary>Forgets the states that were unused for longest.</summary>
    /// <param name="but">Not these; null for any.</param>
    /// <returns>Whether there were some.</returns>
    public bool DropState(PrefixNode? but)
    {
        if (stated.Where(node => node != but).MinBy(node => node.Used) is not { } oldest)
        {
            return false;
        }

        states!.Give(Lose(oldest));
        return true;
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
        if (leaf.State is not null)
        {
            states!.Give(Lose(leaf));
        }

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
