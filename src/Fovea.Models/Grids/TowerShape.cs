namespace Fovea.Models.Grids;

/// <summary>The sizes of a vision tower's blocks (<see cref="TowerBlock"/>), and what families call the parts of its MLP.</summary>
internal sealed record TowerShape
{
    public const double NormEpsilon = 1e-6;

    public required int Width { get; init; }

    public required int Heads { get; init; }

    public required int Inner { get; init; }

    /// <summary>The name of the MLP's first linear.</summary>
    public required string Up { get; init; }

    /// <summary>The name of the MLP's second linear.</summary>
    public required string Down { get; init; }
}
