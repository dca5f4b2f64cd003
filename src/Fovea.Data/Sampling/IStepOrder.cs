namespace Fovea.Data.Sampling;

/// <summary>Says which samples each step of one rank takes. For one thread at a time.</summary>
internal interface IStepOrder
{
    /// <summary>The batches of this rank in step <paramref name="step"/> (from 0): indices of samples.</summary>
    IReadOnlyList<int[]> BatchesOf(int step);

    /// <summary>The epoch, from 0, of each of <see cref="BatchesOf"/>, which was asked for that step before.</summary>
    IReadOnlyList<int> EpochsOf(int step);
}
