namespace Fovea.Events;

/// <summary>Held-out samples are about to be answered.</summary>
/// <param name="OutputDir">Where the answers are written.</param>
/// <param name="Model">Folder of the model.</param>
/// <param name="Device">The device and element type that it runs on.</param>
/// <param name="Rows">Samples to answer, all ranks.</param>
/// <param name="Done">How many of them were answered by an earlier, interrupted call.</param>
public sealed record PredictionStarted(string OutputDir, string Model, string Device, int Rows, int Done) : RunEvent;
