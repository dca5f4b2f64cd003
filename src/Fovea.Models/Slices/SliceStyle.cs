using Fovea.Data.Images;

namespace Fovea.Models.Slices;

/// <summary>How a family hands over slices, beside how it cuts them.</summary>
internal sealed record SliceStyle
{
    /// <summary>What pixels are kept under.</summary>
    public required string Name { get; init; }

    /// <summary>Tokens of each slice; null where they go by its patches.</summary>
    public int? Tokens { get; init; }

    /// <summary>Patches that become one token, where tokens go by them.</summary>
    public int PatchesOfToken { get; init; } = 1;

    /// <summary>Cells have tags of their own; otherwise all of them are in one pair, each in an image's.</summary>
    public required bool TagsCells { get; init; }

    /// <summary>Pictures have their number before them.</summary>
    public required bool Numbers { get; init; }

    public ResizeFilter Filter { get; init; } = ResizeFilter.PillowBicubic;

    /// <summary>Pictures are turned as their EXIF data say; otherwise only where LLaMA-Factory's resize comes first.</summary>
    public bool TurnsUpright { get; init; }

    /// <summary>Grey levels become numbers in one step, as in Transformers' fast processors.</summary>
    public bool FusesColours { get; init; }

    /// <summary>Tokens that the language model sees of a slice.</summary>
    public int TokensOf(ImageGrid grid) => Tokens ?? (grid.Patches / PatchesOfToken);
}
