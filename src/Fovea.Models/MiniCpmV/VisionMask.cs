namespace Fovea.Models.MiniCpmV;

/// <summary>What the vision tower of MiniCPM-Llama3-V-2.5 sees besides an image.</summary>
internal enum VisionMask
{
    /// <summary>The padding to the longest slice of the sample, as the published code's mask lets it; places are counted over it too.</summary>
    Original,

    /// <summary>Nothing: each slice stands alone.</summary>
    Clean,
}
