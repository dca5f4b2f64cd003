namespace Fovea.Data.Images;

/// <summary>How large pictures are cut into slices (MiniCPM-V's slice_config).</summary>
/// <param name="MaxSlices">Most cells; 1 never cuts.</param>
/// <param name="Resolution">Side in pixels of the square whose area a slice has.</param>
/// <param name="PatchSize">Pixels a side of a patch.</param>
/// <param name="Multiple">Sides become multiples of so many patches.</param>
internal sealed record SliceSettings(int MaxSlices = 9, int Resolution = 448, int PatchSize = 14, int Multiple = 1);
