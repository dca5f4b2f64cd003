namespace Fovea.Generation.Constraints;

/// <summary>
/// Runs an automaton over bytes and remembers every state it meets, so that each step is computed once. What it remembers is bounded: past the bound it
/// begins anew, and states in use go on being used. For one thread.
/// </summary>
internal sealed class ByteMachine
{
    private const int MostStates = 20_000;

    // Places in the automaton, of all states that are remembered.
    private const int MostItems = 4_000_000;

    private readonly Automaton automaton;
    private readonly Dictionary<(int State, CallStack? Calls)[], MachineState> states = new(new SameItems());
    private readonly Dictionary<(int Return, int Outer), CallStack> stacks = [];
    private readonly HashSet<(int State, int Calls)> visited = [];
    private readonly Stack<(int State, CallStack? Calls)> open = [];
    private readonly List<(int State, CallStack? Calls)> items = [];
    private int stackIds;
    private int held;

    public ByteMachine(Automaton automaton)
    {
        this.automaton = automaton;
        visited.Clear();
        Enter(automaton.Root, null);
        Start = Settle();
    }

    public MachineState Start { get; }

    /// <summary>After one more byte; <see cref="MachineState.Dead"/> when it cannot come.</summary>
    public MachineState Step(MachineState state, byte value)
    {
        if (ReferenceEquals(state, MachineState.Dead))
        {
            return state;
        }

        ref var next = ref state.Next[automaton.ClassOf[value]];
        return next ??= Compute(state, value);
    }

    private MachineState Compute(MachineState state, byte value)
    {
        visited.Clear();
        items.Clear();
        foreach (var (from, calls) in state.Items)
        {
            foreach (var edge in automaton.From(from))
            {
                if (edge.IsBytes && edge.Low <= value && value <= edge.High)
                {
                    Enter(edge.To, calls);
                }
            }
        }

        return Settle();
    }

    /// <summary>Adds a state and everything that it leads to for nothing.</summary>
    private void Enter(int state, CallStack? calls)
    {
        open.Push((state, calls));
        while (open.TryPop(out var item))
        {
            if (!visited.Add((item.State, item.Calls?.Id ?? 0)))
            {
                continue;
            }

            var end = automaton.IsEnd(item.State);
            if (end && item.Calls is { } left)
            {
                open.Push((left.Return, left.Outer));
            }

            var stays = end && item.Calls is null;
            foreach (var edge in automaton.From(item.State))
            {
                if (edge.IsCall)
                {
                    open.Push((automaton.RuleStarts[edge.Rule], Inside(edge.To, item.Calls)));
                }
                else if (edge.IsSkip)
                {
                    open.Push((edge.To, item.Calls));
                }
                else
                {
                    stays = true;
                }
            }

            if (stays)
            {
                items.Add(item);
            }
        }
    }

    /// <summary>
    /// The calls of a state from which another rule is called. A call that is the last thing its rule does returns at once where that one returns.
    /// </summary>
    private CallStack? Inside(int back, CallStack? calls)
    {
        while (true)
        {
            if (!automaton.IsEnd(back) && automaton.From(back) is [{ IsSkip: true } only])
            {
                back = only.To;
            }
            else if (calls is not null && automaton.IsEnd(back) && automaton.From(back).IsEmpty)
            {
                (back, calls) = (calls.Return, calls.Outer);
            }
            else
            {
                break;
            }
        }

        var key = (back, calls?.Id ?? 0);
        if (!stacks.TryGetValue(key, out var stack))
        {
            stacks[key] = stack = new CallStack(++stackIds, back, calls);
        }

        return stack;
    }

    private MachineState Settle()
    {
        if (items.Count == 0)
        {
            return MachineState.Dead;
        }

        items.Sort((a, b) => a.State != b.State ? a.State.CompareTo(b.State) : (a.Calls?.Id ?? 0).CompareTo(b.Calls?.Id ?? 0));
        var key = items.ToArray();
        if (states.TryGetValue(key, out var known))
        {
            return known;
        }

        if (states.Count >= MostStates || held > MostItems)
        {
            states.Clear();
            stacks.Clear();
            held = 0;
        }

        held += key.Length;

        return states[key] = new MachineState(key, automaton.Classes)
        {
            IsAccepting = key.Any(item => item.Calls is null && automaton.IsEnd(item.State)),
            GoesOn = key.Any(item => !automaton.From(item.State).IsEmpty && HasBytes(item.State)),
        };
    }

    private bool HasBytes(int state)
    {
        foreach (var edge in automaton.From(state))
        {
            if (edge.IsBytes)
            {
                return true;
            }
        }

        return false;
    }

    private sealed class SameItems : IEqualityComparer<(int State, CallStack? Calls)[]>
    {
        public bool Equals((int State, CallStack? Calls)[]? x, (int State, CallStack? Calls)[]? y)
        {
            if (x!.Length != y!.Length)
            {
                return false;
            }

            for (var i = 0; i < x.Length; i++)
            {
                if (x[i].State != y[i].State || !ReferenceEquals(x[i].Calls, y[i].Calls))
                {
                    return false;
                }
            }

            return true;
        }

        public int GetHashCode((int State, CallStack? Calls)[] items)
        {
            var hash = default(HashCode);
            foreach (var (state, calls) in items)
            {
                hash.Add(state);
                hash.Add(calls?.Id ?? 0);
            }

            return hash.ToHashCode();
        }
    }
}
