namespace Fovea.Training.Session;

/// <summary>What one optimizer step came to.</summary>
/// <param name="Rate">Its learning rate.</param>
/// <param name="Loss">The sum over all micro-batches and ranks; null where nothing was trained.</param>
/// <param name="Norm">L2 norm of all gradients before clipping; null where nothing was trained.</param>
internal sealed record StepResult(double Rate, double? Loss = null, double? Norm = null)
{
    /// <summary>Whether weights were updated: both are numbers, or there was nothing to update.</summary>
    public bool IsFinite => double.IsFinite(Loss ?? 0) && double.IsFinite(Norm ?? 0);
}
