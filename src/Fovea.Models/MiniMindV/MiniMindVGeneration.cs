namespace Fovea.Models.MiniMindV;

/// <summary>Which published MiniMind-V a folder holds: names, rotary form, encoder, tokens and data differ.</summary>
internal enum MiniMindVGeneration
{
    /// <summary>Of April 2025, the one its tutorial describes: CLIP ViT-B/16, 196 <c>@</c> tokens an image, interleaved rotary.</summary>
    A,

    /// <summary>Of 2026 (minimind-3v): SigLIP2, 64 <c>&lt;|image_pad|&gt;</c> tokens an image, rotate-half, normalised queries and keys.</summary>
    C,
}
