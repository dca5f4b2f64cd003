using System.Runtime.CompilerServices;

namespace Fovea.Generation.Constraints;

/// <summary>A finished automaton: only states from which a text can be completed, so what is alive can always come to an end.</summary>
internal sealed class Automaton
{
    private readonly AutomatonEdge[][] edges;
    private readonly bool[] ends;

    /// <param name="builder">What was built.</param>
    /// <param name="root">The rule that a whole text goes through.</param>
    /// <param name="name">What messages call it all.</param>
    /// <exception cref="ConfigException">No text gets through, or a rule calls itself before anything is written.</exception>
    public Automaton(AutomatonBuilder builder, int root, string name)
    {
        Root = builder.Rules[root].Start;
        RuleStarts = [.. builder.Rules.Select(rule => rule.Start)];
        ends = new bool[builder.States.Count];
        foreach (var rule in builder.Rules)
        {
            ends[rule.End] = true;
        }

        var alive = Alive(builder);
        if (!alive[Root])
        {
            throw new ConfigException($"{name}: no finite text satisfies it");
        }

        edges = new AutomatonEdge[builder.States.Count][];
        for (var state = 0; state < edges.Length; state++)
        {
            edges[state] = [.. builder.States[state].Where(edge => alive[edge.To] && (!edge.IsCall || alive[RuleStarts[edge.Rule]]))];
        }

        RefuseEndlessCalls(builder, name);
        (Classes, ClassOf) = Parted();
    }

    /// <summary>The state in which a text begins.</summary>
    public int Root { get; }

    /// <summary>How many states there are.</summary>
    public int States => edges.Length;

    /// <summary>The first state of each rule.</summary>
    public IReadOnlyList<int> RuleStarts { get; }

    /// <summary>How many classes bytes fall into; bytes of one class are never told apart.</summary>
    public int Classes { get; }

    /// <summary>The class of each byte.</summary>
    public byte[] ClassOf { get; }

    public ReadOnlySpan<AutomatonEdge> From(int state) => edges[state];

    /// <summary>A rule is through.</summary>
    public bool IsEnd(int state) => ends[state];

    /// <summary>From which states the end of their rule can be reached; calls only where the called rule can be gone through.</summary>
    private static bool[] Alive(AutomatonBuilder builder)
    {
        var before = new List<(int State, int Rule)>?[builder.States.Count];
        var ruleOf = new Dictionary<int, int>();
        for (var state = 0; state < before.Length; state++)
        {
            foreach (var edge in builder.States[state])
            {
                (before[edge.To] ??= []).Add((state, edge.Rule));
            }
        }

        for (var rule = 0; rule < builder.Rules.Count; rule++)
        {
            ruleOf[builder.Rules[rule].Start] = rule;
        }

        var alive = new bool[before.Length];
        var waiting = new List<int>?[builder.Rules.Count];
        var open = new Stack<int>(builder.Rules.Select(rule => rule.End));
        while (open.TryPop(out var state))
        {
            if (alive[state])
            {
                continue;
            }

            alive[state] = true;
            foreach (var (from, rule) in before[state] ?? [])
            {
                if (rule < 0 || alive[builder.Rules[rule].Start])
                {
                    open.Push(from);
                }
                else
                {
                    (waiting[rule] ??= []).Add(from);
                }
            }

            if (ruleOf.TryGetValue(state, out var through))
            {
                foreach (var from in waiting[through] ?? [])
                {
                    open.Push(from);
                }
            }
        }

        return alive;
    }

    private void RefuseEndlessCalls(AutomatonBuilder builder, string name)
    {
        var done = new bool[builder.Rules.Count];
        var begun = new bool[builder.Rules.Count];
        for (var rule = 0; rule < done.Length; rule++)
        {
            Visit(rule);
        }

        void Visit(int rule)
        {
            RuntimeHelpers.EnsureSufficientExecutionStack();
            if (done[rule])
            {
                return;
            }

            if (begun[rule])
            {
                throw new ConfigException($"{builder.Rules[rule].Name ?? name}: it leads back to itself before anything is written");
            }

            begun[rule] = true;
            var seen = new HashSet<int>();
            var open = new Stack<int>([builder.Rules[rule].Start]);
            var called = new SortedSet<int>();
            while (open.TryPop(out var state))
            {
                if (!seen.Add(state))
                {
                    continue;
                }

                foreach (var edge in edges[state])
                {
                    if (edge.IsCall)
                    {
                        called.Add(edge.Rule);
                    }

                    if (!edge.IsBytes)
                    {
                        open.Push(edge.To); // as if what is called could be empty
                    }
                }
            }

            foreach (var next in called)
            {
                Visit(next);
            }

            done[rule] = true;
        }
    }

    private (int Classes, byte[] ClassOf) Parted()
    {
        var borders = new bool[257];
        foreach (var edge in edges.SelectMany(list => list).Where(edge => edge.IsBytes))
        {
            (borders[edge.Low], borders[edge.High + 1]) = (true, true);
        }

        var classes = new byte[256];
        var last = 0;
        for (var value = 1; value < 256; value++)
        {
            last += borders[value] ? 1 : 0;
            classes[value] = (byte)last;
        }

        return (last + 1, classes);
    }
}
