namespace Fovea.Training.Config;

/// <summary>How trained tokens are weighed within one optimizer step (<c>loss_reduction</c>).</summary>
public enum LossReduction
{
    /// <summary>Every trained token of the step weighs the same.</summary>
    Token,

    /// <summary>Every batch of <c>per_device_train_batch_size</c> samples weighs the same, as LLaMA-Factory does for vision-language models.</summary>
    Mean,
}
