namespace Fovea.Data.Packing;

/// <summary>How much each trained token weighs in a step's loss.</summary>
internal enum LossReduction
{
    /// <summary>All the same: 1 / (trained tokens of the step, over all ranks).</summary>
    Token,

    /// <summary>
    /// The mean of the batches' means, as LLaMA-Factory computes it for vision-language models:
    /// 1 / (trained tokens of the batch x batches of the step x ranks).
    /// </summary>
    Mean,

    /// <summary>
    /// The batches' means, each divided by <c>gradient_accumulation_steps</c> even where a step has more or fewer batches (the last of an epoch), as plain
    /// training loops compute it: 1 / (trained tokens of the batch x accumulation x ranks).
    /// </summary>
    Accumulate,
}
