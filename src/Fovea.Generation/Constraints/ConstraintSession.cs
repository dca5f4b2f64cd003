namespace Fovea.Generation.Constraints;

/// <summary>How far one answer has come in its constraint.</summary>
internal sealed class ConstraintSession(CompiledConstraint constraint)
{
    private MachineState state = constraint.Start;
    private bool first = true;

    /// <summary>The text may end here.</summary>
    public bool IsAccepting => state.IsAccepting;

    /// <summary>The text is complete: nothing can follow.</summary>
    public bool IsComplete => state.IsAccepting && !state.GoesOn;

    /// <summary>The tokens of text that may come, one bit for each id; ids past the last word may not. Valid until the next call.</summary>
    public ReadOnlySpan<ulong> Allowed() => constraint.Allowed(state, first);

    /// <summary>The text goes on with a token.</summary>
    public void Accept(int id)
    {
        var next = constraint.After(state, id, first);
        if (ReferenceEquals(next, MachineState.Dead))
        {
            throw new InvalidOperationException($"the token {id} breaks the constraint");
        }

        (state, first) = (next, false);
    }
}
