namespace Fovea.Events;

/// <summary>Another held-out sample has been answered.</summary>
/// <param name="Done">Samples answered so far, as far as this process knows.</param>
/// <param name="Rows">All samples, all ranks.</param>
public sealed record RowAnswered(int Done, int Rows) : RunEvent;
