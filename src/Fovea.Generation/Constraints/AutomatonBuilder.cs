namespace Fovea.Generation.Constraints;

/// <summary>
/// Puts an automaton over bytes together (Thompson's construction) from rules that may call one another, also themselves: a call goes through the called rule
/// and then on behind the call, which makes it a pushdown automaton.
/// </summary>
/// <param name="cancel">Ends the work.</param>
internal sealed class AutomatonBuilder(CancellationToken cancel = default)
{
    private const int MostStates = 1_000_000;

    private readonly List<List<AutomatonEdge>> states = [];
    private readonly List<(int Start, int End, string? Name)> rules = [];

    /// <summary>Edges of each state.</summary>
    public IReadOnlyList<IReadOnlyList<AutomatonEdge>> States => states;

    /// <summary>Where each rule begins and ends.</summary>
    public IReadOnlyList<(int Start, int End, string? Name)> Rules => rules;

    /// <exception cref="OperationCanceledException">Nobody wants it any more.</exception>
    public void ThrowIfCancelled() => cancel.ThrowIfCancellationRequested();

    public int NewState()
    {
        if (states.Count % 1024 == 0)
        {
            ThrowIfCancelled();
        }

        if (states.Count == MostStates)
        {
            throw new ConfigException($"the constraint is too large: its automaton has more than {MostStates} states (ask for fewer repetitions)");
        }

        states.Add([]);
        return states.Count - 1;
    }

    /// <summary>A rule to be defined later, so that others, and it itself, can call it.</summary>
    /// <param name="name">What messages call it.</param>
    public int NewRule(string? name = null)
    {
        rules.Add((NewState(), NewState(), name));
        return rules.Count - 1;
    }

    public void Define(int rule, Fragment body)
    {
        Skip(rules[rule].Start, body.Start);
        Skip(body.End, rules[rule].End);
    }

    public int Rule(Func<Fragment> body)
    {
        var rule = NewRule();
        Define(rule, body());
        return rule;
    }

    public void Skip(int from, int to) => states[from].Add(AutomatonEdge.Skip(to));

    public void Bytes(int from, int low, int high, int to) => states[from].Add(AutomatonEdge.Bytes((byte)low, (byte)high, to));

    public void Call(int from, int rule, int to) => states[from].Add(AutomatonEdge.Call(rule, to));

    public Fragment Call(int rule)
    {
        var fragment = New();
        Call(fragment.Start, rule, fragment.End);
        return fragment;
    }

    public Fragment New() => new(NewState(), NewState());

    public Fragment Text(ReadOnlySpan<byte> text)
    {
        var start = NewState();
        var end = start;
        foreach (var value in text)
        {
            var next = NewState();
            Bytes(end, value, value, next);
            end = next;
        }

        return text.IsEmpty ? Empty() : new(start, end);
    }

    public Fragment Empty()
    {
        var fragment = New();
        Skip(fragment.Start, fragment.End);
        return fragment;
    }

    public Fragment Chain(params ReadOnlySpan<Fragment> parts)
    {
        if (parts.IsEmpty)
        {
            return Empty();
        }

        for (var i = 1; i < parts.Length; i++)
        {
            Skip(parts[i - 1].End, parts[i].Start);
        }

        return new(parts[0].Start, parts[^1].End);
    }

    /// <summary>Any one of the parts; of none nothing, which no text gets through.</summary>
    public Fragment Choice(params ReadOnlySpan<Fragment> parts)
    {
        var fragment = New();
        foreach (var part in parts)
        {
            Skip(fragment.Start, part.Start);
            Skip(part.End, fragment.End);
        }

        return fragment;
    }

    public Fragment Optional(Fragment part)
    {
        var fragment = Choice(part);
        Skip(fragment.Start, fragment.End);
        return fragment;
    }

    /// <param name="make">Builds one copy.</param>
    public Fragment Repeat(Func<Fragment> make, int least, int? most)
    {
        var (start, end) = (NewState(), NewState());
        var at = start;
        for (var i = 0; i < (most ?? least); i++)
        {
            if (i >= least)
            {
                Skip(at, end);
            }

            var part = make();
            Skip(at, part.Start);
            at = part.End;
        }

        if (most is null)
        {
            var loop = make();
            var turn = NewState();
            Skip(at, turn);
            Skip(turn, loop.Start);
            Skip(loop.End, turn);
            at = turn;
        }

        Skip(at, end);
        return new(start, end);
    }
}
