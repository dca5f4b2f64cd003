using Fovea.Data.Images;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniCpmV46;

/// <summary>Behind the tower: two by two neighbours become one token of the language model's width.</summary>
/// <remarks>Suffixes: P patches, V tower width, M tokens, E language width.</remarks>
internal sealed class TokenMerger
{
    private const double NormEpsilon = 1e-6;
    private readonly Block block;
    private readonly long joined;
    private readonly LayerNorm norm;
    private readonly Linear up;
    private readonly Linear down;

    public TokenMerger(Block block, int width, int languageWidth)
    {
        (this.block, joined) = (block, (long)PatchSquares.Size * width);
        var w = block / "mlp" / 0;
        norm = new LayerNorm(w / "pre_norm", joined, NormEpsilon);
        up = new Linear(w / "linear_1", joined, joined);
        down = new Linear(w / "linear_2", joined, languageWidth);
    }

    /// <param name="x_PV">What the tower gives, row by row.</param>
    /// <param name="grids">One an image, as large as it is there.</param>
    /// <returns>[M, E]</returns>
    public Tensor Forward(Tensor x_PV, IReadOnlyList<ImageGrid> grids) => block.Run(
        x => down.Forward(up.Forward(norm.Forward(PatchSquares.Gather(x, grids).View(-1, joined))).Gelu()), x_PV);
}
