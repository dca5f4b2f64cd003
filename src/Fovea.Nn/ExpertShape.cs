namespace Fovea.Nn;

/// <summary>The mixture of experts that stands in place of MLPs of a decoder, as a checkpoint's config.json states it.</summary>
internal sealed record ExpertShape
{
    public required int Count { get; init; }

    /// <summary>Experts of a token.</summary>
    public required int PerToken { get; init; }

    /// <summary>Of each expert's gated MLP.</summary>
    public required int Inner { get; init; }

    /// <summary>Of the gated MLP that every token goes through beside its experts; 0 where there is none.</summary>
    public int SharedInner { get; init; }

    /// <summary>Every so many layers have experts, counted so that the first of them is this number less one.</summary>
    public int Step { get; init; } = 1;

    /// <summary>Layers that keep an MLP all the same.</summary>
    public int[] DenseLayers { get; init; } = [];

    /// <summary>Whether published checkpoints have their matrices with the inputs first; one that lies otherwise shows it by its shape.</summary>
    public bool InputsFirst { get; init; }

    public bool IsIn(int layer) => !DenseLayers.Contains(layer) && (layer + 1) % Step == 0;
}
