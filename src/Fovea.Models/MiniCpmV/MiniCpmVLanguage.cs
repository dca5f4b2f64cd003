using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniCpmV;

/// <summary>The language model of a version: MiniCPM, Llama 3, Qwen2, MiniCPM4 or Qwen3, all decoders of one kind that differ in sizes and factors.</summary>
internal sealed class MiniCpmVLanguage(Weights root, MiniCpmVConfig config)
{
    private readonly Decoder decoder = new(root, config.Language);

    /// <summary>The output head [V, E].</summary>
    public Parameter Head => decoder.Head;

    /// <param name="ids_T">64-bit token ids.</param>
    /// <param name="positions">Place of each token in its sample, [T].</param>
    /// <param name="lengths">Length of the sample that each token belongs to, [T]; rotary frequencies may go by it.</param>
    /// <param name="attention">Who sees whom.</param>
    /// <param name="images">What images put in place of tokens, and add behind layers; null without images.</param>
    /// <param name="wanted_L">64-bit rows to return; null for all.</param>
    /// <param name="watch">Sees the input and the output of every block; for tests.</param>
    /// <returns>[T, E] or [L, E] after the final norm, in MiniCPM also scaled for the head.</returns>
    public Tensor Forward(
        Tensor ids_T,
        int[] positions,
        int[] lengths,
        ISequencePlan attention,
        ImageTokens? images = null,
        Tensor? wanted_L = null,
        Action<string, Tensor>? watch = null) =>
        decoder.Forward(ids_T, Angles(positions, lengths, ids_T.Device), attention, images, wanted_L, watch);

    private Rotary Angles(int[] positions, int[] lengths, Device device)
    {
        var (size, half) = (config.Language.HeadSize, config.Language.HeadSize / 2);
        var usual = config.Rope.Frequencies(size);
        var stretched = config.Rope.GoesByLength ? config.Rope.Frequencies(size, isLong: true) : null;
        var angles = new float[positions.Length * size];
        for (var token = 0; token < positions.Length; token++)
        {
            var frequencies = stretched is not null && lengths[token] > config.Rope.OriginalPositions ? stretched : usual;
            var line = angles.AsSpan(token * size, size);
            for (var i = 0; i < half; i++)
            {
                line[i] = line[i + half] = positions[token] * frequencies[i];
            }
        }

        var table = CreateOps.On(device, angles, positions.Length, size);
        return config.Rope.Scale == 1
            ? new Rotary(table.Cos(), table.Sin())
            : new Rotary(table.Cos().Mul(config.Rope.Scale), table.Sin().Mul(config.Rope.Scale));
    }
}
