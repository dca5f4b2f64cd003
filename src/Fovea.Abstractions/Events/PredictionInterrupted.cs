namespace Fovea.Events;

/// <summary>Answering was stopped on request. The answers so far are kept; the same call goes on with the rest.</summary>
/// <param name="Done">Samples answered so far.</param>
/// <param name="Rows">All samples.</param>
public sealed record PredictionInterrupted(int Done, int Rows) : RunEvent;
