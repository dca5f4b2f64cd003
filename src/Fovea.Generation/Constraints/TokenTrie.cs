using Fovea.Data.Tokenizers;

namespace Fovea.Generation.Constraints;

/// <summary>
/// The tokens of a vocabulary by their bytes, so that what several begin with is looked at once. Nodes lie in the order of a walk, each with the place where
/// the walk goes on when nothing below it can come.
/// </summary>
internal sealed class TokenTrie
{
    private readonly TokenBytes bytes;
    private readonly List<byte> labels = [];
    private readonly List<ushort> depths = [];
    private readonly List<int> tokens = [];
    private readonly List<int> skips = [];
    private readonly int[] twins;
    private readonly int deepest;
    private readonly (int From, int To) spaces;

    public TokenTrie(TokenBytes bytes)
    {
        this.bytes = bytes;
        twins = new int[bytes.Count];
        Array.Fill(twins, -1);
        var ids = Enumerable.Range(0, bytes.Count).Where(id => bytes[id].Length is > 0 and < ushort.MaxValue).ToArray();
        Array.Sort(ids, (a, b) => bytes[a].SequenceCompareTo(bytes[b]) is var order and not 0 ? order : a.CompareTo(b));
        var path = new Stack<int>();
        var last = -1;
        foreach (var id in ids)
        {
            var text = bytes[id];
            var before = bytes[last];
            var common = text.CommonPrefixLength(before);
            if (common == text.Length && common == before.Length)
            {
                (twins[id], tokens[path.Peek()]) = (tokens[path.Peek()], id);
                continue;
            }

            Close(common);
            for (var depth = common; depth < text.Length; depth++)
            {
                path.Push(labels.Count);
                labels.Add(text[depth]);
                depths.Add((ushort)depth);
                tokens.Add(-1);
                skips.Add(0);
            }

            tokens[^1] = id;
            deepest = Math.Max(deepest, text.Length);
            last = id;
        }

        Close(0);
        for (var node = 0; node < labels.Count; node = skips[node])
        {
            if (labels[node] == ' ')
            {
                spaces = (node, skips[node]);
            }
        }

        void Close(int depth)
        {
            while (path.Count > depth)
            {
                skips[path.Pop()] = labels.Count;
            }
        }
    }

    /// <summary>Bits of a mask, one for each id, in whole words.</summary>
    public int Words => (bytes.Count + 63) / 64;

    /// <summary>A space at the beginning of a text is not written.</summary>
    public bool DropsFirstSpace => bytes.DropsFirstSpace;

    /// <summary>The bytes that a token adds.</summary>
    /// <param name="id">The token.</param>
    /// <param name="first">It is the first of its text.</param>
    public ReadOnlySpan<byte> BytesOf(int id, bool first)
    {
        var text = bytes[id];
        return first && DropsFirstSpace && text is [(byte)' ', ..] ? text[1..] : text;
    }

    /// <summary>Sets the bits of the tokens that a machine can take whole.</summary>
    /// <param name="first">They would be the first of their text.</param>
    public void Mark(ByteMachine machine, MachineState start, bool first, Span<ulong> mask)
    {
        if (!first || !DropsFirstSpace)
        {
            Mark(machine, start, 0, labels.Count, 0, mask);
            return;
        }

        Mark(machine, start, 0, spaces.From, 0, mask);
        Mark(machine, start, Math.Min(spaces.From + 1, spaces.To), spaces.To, 1, mask);
        Mark(machine, start, spaces.To, labels.Count, 0, mask);
    }

    private void Mark(ByteMachine machine, MachineState start, int from, int to, int depth, Span<ulong> mask)
    {
        var states = new MachineState[deepest + 1];
        states[depth] = start;
        var label = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(labels);
        var level = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(depths);
        var token = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(tokens);
        var skip = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(skips);
        for (var node = from; node < to;)
        {
            var next = machine.Step(states[level[node]], label[node]);
            if (ReferenceEquals(next, MachineState.Dead))
            {
                node = skip[node];
                continue;
            }

            states[level[node] + 1] = next;
            for (var id = token[node]; id >= 0; id = twins[id])
            {
                mask[id >> 6] |= 1UL << (id & 63);
            }

            node++;
        }
    }
}
