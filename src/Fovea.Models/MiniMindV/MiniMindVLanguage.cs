using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniMindV;

/// <summary>MiniMind's decoder: token and image embeddings to final hidden states. The output head is the embedding table.</summary>
/// <remarks>Suffixes: T tokens, E width, D head size, L wanted tokens.</remarks>
internal sealed class MiniMindVLanguage
{
    private readonly MiniMindVConfig config;
    private readonly Block embed;
    private readonly DecoderBlock[] blocks;
    private readonly RmsNorm norm;

    /// <param name="original">Repeat what the published training code does with its experts.</param>
    public MiniMindVLanguage(Weights root, MiniMindVConfig config, bool original)
    {
        this.config = config;
        var w = root / "model";
        embed = (w / "embed_tokens").Block(ModelPart.Language, "embeddings", BlockKind.Lookup);
        Embeddings = embed.Weights.Take("weight", config.VocabularySize, config.HiddenSize);
        blocks = new DecoderBlock[config.Layers];
        for (var i = 0; i < blocks.Length; i++)
        {
            blocks[i] = new DecoderBlock((w / "layers" / i).Block(ModelPart.Language, $"language block {i}"), config, i, original);
        }

        norm = new RmsNorm(w / "norm", config.HiddenSize, config.NormEpsilon);
    }

    public Parameter Embeddings { get; }

    /// <param name="images">What images put in place of tokens; null without images.</param>
    /// <param name="watch">Sees inputs and outputs of the blocks and of their parts; for tests.</param>
    /// <returns>[T, E] or, where rows are wanted, [L, E] after the final norm.</returns>
    public Tensor Forward(ModelInput input, ImageTokens? images, Action<string, Tensor>? watch = null)
    {
        var x_TE = embed.Run(ids => embed.Weights.Ledger.WithNoise(Embeddings.Lookup(ids)), input.Ids);
        if (images is not null)
        {
            x_TE = images.Embed(x_TE);
        }

        var rotary = RotaryFor(input.Positions[0], x_TE.Device);
        for (var i = 0; i < blocks.Length; i++)
        {
            watch?.Invoke($"hidden_in.{i}", x_TE);
            x_TE = blocks[i].Forward(x_TE, rotary, input, i == blocks.Length - 1 ? input.Wanted : null, watch);
        }

        watch?.Invoke("hidden_last", x_TE);
        return norm.Forward(x_TE);
    }

    /// <summary>cos and sin of every token's place [T, D]; the second half repeats the first.</summary>
    private Rotary RotaryFor(int[] positions, Device device)
    {
        var frequencies = config.Rope.Frequencies(config.HeadSize);
        var angles = new float[positions.Length * config.HeadSize];
        for (var token = 0; token < positions.Length; token++)
        {
            var line = angles.AsSpan(token * config.HeadSize, config.HeadSize);
            for (var i = 0; i < frequencies.Length; i++)
            {
                line[i] = line[i + frequencies.Length] = positions[token] * frequencies[i];
            }
        }

        var table = CreateOps.On(device, angles, positions.Length, config.HeadSize);
        return new Rotary(table.Cos(), table.Sin());
    }
}
