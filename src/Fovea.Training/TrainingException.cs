namespace Fovea.Training;

/// <summary>Training cannot go on: says at which step, why, and where the last checkpoint is.</summary>
internal sealed class TrainingException(string message) : FoveaException(message);
