namespace Fovea.Training.Objectives;

/// <summary>What one held-out micro-batch came to.</summary>
/// <param name="Loss">Its part of the loss of its batch.</param>
/// <param name="Sums">One number for each name in <see cref="IObjective.Sums"/>.</param>
internal record BatchMeasure(double Loss, IReadOnlyList<double> Sums);
