using Fovea.Models;

namespace Fovea.Generation.Engine;

/// <summary>
/// What an engine keeps of tokens that it has computed: keys and values in pages, states of recurrent layers in slots. Pages that are full are in a tree,
/// where other prompts find them. Where there are states, a prompt can go on only from where one was kept: behind a sequence that ended, at the last full page
/// of a prompt, and where a prompt that waits parts from one under way.
/// </summary>
internal sealed class SequenceCache : IDisposable
{
    private readonly bool shares;
    private readonly PrefixTree tree;

    /// <param name="bytes">Most bytes; of a model with states at most half of it is for them.</param>
    /// <param name="sequences">Most sequences at once.</param>
    /// <param name="shares">Whether what prompts have in common at their beginning is kept for others.</param>
    public SequenceCache(VisionLanguageModel model, long bytes, int sequences, bool shares)
    {
        this.shares = shares;
        if (model.States is not null)
        {
            States = new StatePool(model, bytes / 2, shares ? 2 * sequences : sequences);
            bytes -= States.MostSlots * States.SlotBytes;
        }

        Pages = new PagePool(model, bytes);
        tree = new PrefixTree(Pages, States);
    }

    public PagePool Pages { get; }

    /// <summary>Null where no layer has a state.</summary>
    public StatePool? States { get; }

    /// <summary>Pages that nobody reads, which could be had by forgetting them.</summary>
    public int Evictable => tree.Evictable;

    /// <summary>Sequences that there is room for beside their pages.</summary>
    public int MostSequences => States?.MostSlots ?? int.MaxValue;

    /// <summary>What there is of a prompt.</summary>
    public CachedPrefix Find(Sequence sequence)
    {
        var (most, adapter) = (sequence.PromptTokens - 1, sequence.Adapter?.Name);
        return !shares ? CachedPrefix.None
            : States is null ? tree.Find(sequence.KeySpan, most, adapter)
            : tree.FindState(sequence.KeySpan, most, adapter);
    }

    /// <summary>Whether a prompt that goes as far together with one under way will find more of it than now.</summary>
    /// <param name="common">Tokens that both begin with.</param>
    public bool WillHave(Sequence other, int common)
    {
        var end = common / EngineOptions.PageTokens * EngineOptions.PageTokens;
        if (States is not null && other.Cached < end)
        {
            other.Marks.Add(end);
        }

        return States is null || other.Cached < end;
    }

    /// <summary>Whether there is room for all that a sequence may come to.</summary>
    /// <param name="prefix">What there is of it; its tail is left away where there is no room for a copy.</param>
    /// <param name="promised">Pages that sequences under way may still take.</param>
    public bool HasRoom(Sequence sequence, ref CachedPrefix prefix, int promised)
    {
        var left = Pages.Free + tree.Evictable - prefix.Whole.Count(page => page.Users == 0) - promised - (sequence.MostPages - prefix.Whole.Count);
        if (left < 0)
        {
            return false;
        }

        // A page that is copied cannot be forgotten to make room for its copy.
        if (left == 0 && prefix.Tail is { Users: 0 })
        {
            prefix = States is null ? new CachedPrefix(prefix.Whole, null, 0) : CachedPrefix.None;
            return States is null || HasRoom(sequence, ref prefix, promised);
        }

        return true;
    }

    public void Begin(Sequence sequence, CachedPrefix prefix)
    {
        foreach (var page in prefix.Whole)
        {
            tree.Pin(page);
            sequence.Nodes.Add(page);
        }

        if (prefix.Tail is { } tail)
        {
            // Held while a page is found, which may be had by forgetting others.
            tree.Pin(tail);
            var copy = TakePage();
            Pages.Copy(tail.Page, copy);
            tree.Unpin(tail);
            sequence.Own.Add(copy);
        }

        sequence.Reuse(prefix.Tokens);
        if (States is not null)
        {
            BeginState(States, sequence, prefix.End);
        }
    }

    /// <summary>Takes the pages that a sequence needs for its tokens up to <paramref name="end"/>.</summary>
    public void Extend(Sequence sequence, int end)
    {
        while (sequence.HeldPages < Sequence.PagesOf(end))
        {
            sequence.Own.Add(TakePage());
        }
    }

    /// <summary>After a pass: pages that are full belong to the tree from now on, where others find them.</summary>
    public void Register(Sequence sequence)
    {
        while (shares && sequence.Own.Count > 0 && sequence.Cached >= (sequence.Nodes.Count + 1) * EngineOptions.PageTokens)
        {
            var keys = sequence.KeySpan.Slice(sequence.Nodes.Count * EngineOptions.PageTokens, EngineOptions.PageTokens);
            var node = tree.Add(sequence.Nodes.LastOrDefault(), sequence.Adapter?.Name, keys, sequence.Own[0]);
            sequence.Own.RemoveAt(0);
            tree.Pin(node);
            sequence.Nodes.Add(node);
        }

        if (States is not null && sequence.Marks.Remove(sequence.Cached) && sequence.Nodes[^1] is { State: null } last
            && (States.Free > 0 || tree.DropState(null)))
        {
            var copy = States.Take();
            States.Copy(sequence.State!.Value, copy);
            tree.Keep(last, copy);
        }
    }

    /// <summary>A sequence is over: pages that are full stay for others, and so does the beginning of the last one, with the state behind it.</summary>
    public void Leave(Sequence sequence)
    {
        var whole = sequence.Nodes.Count * EngineOptions.PageTokens;
        var last = sequence.Nodes.LastOrDefault();
        if (shares && sequence.Own.Count > 0 && sequence.Cached > whole)
        {
            last = tree.Add(last, sequence.Adapter?.Name, sequence.KeySpan[whole..sequence.Cached], sequence.Own[0]);
            sequence.Own.RemoveAt(0);
        }
        else if (sequence.Cached != whole)
        {
            last = null;
        }

        sequence.Own.ForEach(Pages.Give);
        sequence.Own.Clear();
        sequence.Nodes.ForEach(tree.Unpin);
        sequence.Nodes.Clear();
        if (sequence.State is { } state && last is { State: null })
        {
            tree.Keep(last, state);
        }
        else if (sequence.State is { } done)
        {
            States!.Give(done);
        }

        sequence.State = null;
    }

    /// <summary>Forgets what nobody reads now.</summary>
    public void Forget() => tree.Evict(tree.Evictable);

    public void Dispose()
    {
        Pages.Dispose();
        States?.Dispose();
    }

    private void BeginState(StatePool states, Sequence sequence, PrefixNode? from)
    {
        if (states.Free > 0 || tree.DropState(from))
        {
            var slot = states.Take();
            sequence.State = slot;
            if (from is null)
            {
                states.Clear(slot);
            }
            else
            {
                states.Copy(from.State!.Value, slot);
            }
        }
        else
        {
            // No other is left: the prompt goes on in it.
            sequence.State = tree.Lose(from!);
        }

        var last = (sequence.PromptTokens - 1) / EngineOptions.PageTokens * EngineOptions.PageTokens;
        if (shares && last > sequence.Cached)
        {
            sequence.Marks.Add(last);
        }
    }

    private int TakePage()
    {
        if (Pages.Free == 0)
        {
            tree.Evict(1);
        }

        return Pages.Take();
    }
}
