namespace Fovea.Models.MiniCpmV;

/// <summary>How the vision tower of a version is laid out and where it thinks that patches lie.</summary>
internal enum MiniCpmVVisionKind
{
    /// <summary>timm's ViT (MiniCPM-V-2): the table of positions is resized to each image.</summary>
    Resized,

    /// <summary>Idefics2's (Llama3-V-2.5): the patches of an image count as one row, and in the original padding does too.</summary>
    OneRow,

    /// <summary>SigLIP NaViT (from V-2.6 on): each image spreads over the whole table.</summary>
    Buckets,
}
