using Fovea.Data.Images;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models;

/// <summary>One packed micro-batch as a model takes it: T tokens of several samples end to end, P patches, M image tokens, L trained tokens.</summary>
internal sealed record ModelInput
{
    /// <summary>64-bit ids [T].</summary>
    public required Tensor Ids { get; init; }

    /// <summary>Places of the tokens along each axis of the family's position embedding, [axes][T].</summary>
    public required int[][] Positions { get; init; }

    public required ISequencePlan Attention { get; init; }

    /// <summary>Normalised patches [P, C] in fp32, or null without images.</summary>
    public Tensor? Pixels { get; init; }

    /// <summary>Size in patches of each image.</summary>
    public IReadOnlyList<ImageGrid> Grids { get; init; } = [];

    /// <summary>How many of them each sample has, where a family needs to know; null where all belong to one.</summary>
    public IReadOnlyList<int>? ImagesOfSamples { get; init; }

    /// <summary>64-bit positions of the image tokens, ascending [M]; null without images.</summary>
    public Tensor? ImageSlots { get; init; }

    /// <summary>64-bit rows whose final hidden states are asked for [L]; null for all. What only the others need is left out.</summary>
    public Tensor? Wanted { get; init; }

    /// <summary>64-bit rows of the image features that stand at <see cref="ImageSlots"/> [M]; null where all of them do, in order.</summary>
    public Tensor? FeatureRows { get; init; }

    /// <summary>For <see cref="Side"/>: together all tokens, ascending.</summary>
    public IReadOnlyList<TokenGroup> Groups { get; init; } = [];

    /// <summary>Takes further losses of a forward pass that trains; null where none are wanted.</summary>
    public SideLosses? Side { get; init; }
}
