namespace Fovea.Training;

/// <summary>Training cannot go on: says at which step, why, and where the last checkpoint is.</summary>
public sealed class TrainingException(string message) : FoveaException(message);
