namespace Fovea.Data.Sampling;

/// <summary>What becomes of the batches at an epoch's end that do not fill a step.</summary>
internal enum StepRounding
{
    /// <summary>They make a shorter step of their own (Transformers 4.46 and later).</summary>
    Ceil,

    /// <summary>They join the first step of the next epoch, and steps are counted rounded down (Transformers before 4.46).</summary>
    Floor,

    /// <summary>They join the first step of the next epoch, which thereby has more than the others; those of the last epoch are lost.</summary>
    Carry,
}
