using Fovea.Data.Images;

namespace Fovea.Data.Templates;

/// <summary>What becomes of one image: itself, or the whole of it scaled down and then the cells that it is cut into, row by row.</summary>
/// <param name="Parts">Size in patches of each part; at least one.</param>
/// <param name="Columns">Of cells; 0 where it is not cut.</param>
public sealed record ImageLayout(IReadOnlyList<ImageGrid> Parts, int Columns = 0);
