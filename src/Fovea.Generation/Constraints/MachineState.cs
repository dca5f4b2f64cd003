namespace Fovea.Generation.Constraints;

/// <summary>Everywhere an automaton may be after some bytes: pairs of a state and the calls it is inside of.</summary>
internal sealed class MachineState(IReadOnlyList<(int State, CallStack? Calls)> items, int classes)
{
    /// <summary>No way leads on, and no text ends.</summary>
    public static MachineState Dead { get; } = new([], 0) { IsAccepting = false, GoesOn = false };

    /// <summary>In order, each once; those that only lead elsewhere for nothing are left out.</summary>
    public IReadOnlyList<(int State, CallStack? Calls)> Items { get; } = items;

    /// <summary>What comes after a byte of each class; null where nobody asked yet.</summary>
    public MachineState?[] Next { get; } = new MachineState?[classes];

    /// <summary>The text may end here.</summary>
    public required bool IsAccepting { get; init; }

    /// <summary>The text may go on.</summary>
    public required bool GoesOn { get; init; }
}
