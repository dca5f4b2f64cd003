namespace Fovea.Training.Config;

/// <summary>What becomes of an epoch's last, incomplete step (<c>step_rounding</c>).</summary>
public enum StepRounding
{
    /// <summary>It makes an update of its own (Transformers 4.46 and later).</summary>
    Ceil,

    /// <summary>It is dropped when counting steps (before Transformers 4.46).</summary>
    Floor,
}
