namespace Fovea.Generation.Constraints;

/// <summary>
/// A constraint over the tokens of one vocabulary. The tokens that may come in a state are found once and remembered, within a bound, by the states that were
/// asked for last. For one thread at a time.
/// </summary>
internal sealed class CompiledConstraint(Automaton automaton, TokenTrie trie)
{
    private const int MostMaskBytes = 64 << 20;

    private readonly ByteMachine machine = new(automaton);
    private readonly Dictionary<(MachineState State, bool First), LinkedListNode<((MachineState, bool) Key, ulong[] Mask)>> masks = [];
    private readonly LinkedList<((MachineState, bool) Key, ulong[] Mask)> recent = [];

    public MachineState Start => machine.Start;

    /// <summary>How large its automaton is.</summary>
    public int States => automaton.States;

    /// <summary>How many masks are remembered.</summary>
    public int Masks => masks.Count;

    private int MostMasks => Math.Max(16, MostMaskBytes / (trie.Words * sizeof(ulong)));

    /// <summary>The tokens of text that may come, one bit for each id.</summary>
    /// <param name="first">The text has no token yet.</param>
    public ReadOnlySpan<ulong> Allowed(MachineState state, bool first)
    {
        var key = (state, first && trie.DropsFirstSpace);
        if (masks.TryGetValue(key, out var known))
        {
            recent.Remove(known);
            recent.AddFirst(known);
            return known.Value.Mask;
        }

        ulong[] mask;
        if (masks.Count >= MostMasks)
        {
            var oldest = recent.Last!;
            recent.RemoveLast();
            masks.Remove(oldest.Value.Key);
            mask = oldest.Value.Mask;
            Array.Clear(mask);
        }
        else
        {
            mask = new ulong[trie.Words];
        }

        trie.Mark(machine, state, first, mask);
        masks[key] = recent.AddFirst((key, mask));
        return mask;
    }

    /// <summary>The state after a token; dead when it cannot come.</summary>
    public MachineState After(MachineState state, int id, bool first)
    {
        foreach (var value in trie.BytesOf(id, first))
        {
            state = machine.Step(state, value);
        }

        return state;
    }
}
