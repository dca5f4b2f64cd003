using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniMindV;

/// <summary>
/// The image encoder and the projector: CLIP ViT (arXiv 2103.00020) with one linear layer, or SigLIP (arXiv 2303.15343) with a norm and two.
/// CLIP's features are those of its patches before the final norm, SigLIP's after it.
/// </summary>
/// <remarks>Suffixes: P patches, C values of a patch, N images, V encoder width, T encoder tokens (with CLIP's class token), E language width.</remarks>
internal sealed class MiniMindVVision
{
    private readonly MiniMindVVisionConfig config;
    private readonly Parameter patches;
    private readonly Parameter? patchBias;
    private readonly Parameter? classToken;
    private readonly Parameter positions;
    private readonly LayerNorm? normBefore;
    private readonly LayerNorm? normAfter;
    private readonly EncoderBlock[] blocks;
    private readonly Block projector;
    private readonly Func<Tensor, Tensor> project;

    public MiniMindVVision(Weights root, MiniMindVVisionConfig config, long width)
    {
        this.config = config;
        var w = root / "vision_encoder" / "vision_model";
        var (v, tokens) = ((long)config.HiddenSize, config.Tokens);
        patches = (w / "embeddings" / "patch_embedding").Take("weight", v, 3, config.PatchSize, config.PatchSize);
        positions = (w / "embeddings" / "position_embedding").Take("weight", config.IsClip ? tokens + 1 : tokens, v);
        if (config.IsClip)
        {
            classToken = (w / "embeddings").Take("class_embedding", v);
            normBefore = new LayerNorm(w / "pre_layrnorm", v, config.NormEpsilon); // the name is the checkpoint's
        }
        else
        {
            patchBias = (w / "embeddings" / "patch_embedding").Take("bias", v);
        }

        blocks = new EncoderBlock[config.Layers];
        for (var i = 0; i < blocks.Length; i++)
        {
            blocks[i] = new EncoderBlock((w / "encoder" / "layers" / i).Block(ModelPart.Vision, $"vision block {i}"), config);
        }

        normAfter = config.IsClip ? null : new LayerNorm(w / "post_layernorm", v, config.NormEpsilon);
        projector = (root / "vision_proj").Block(ModelPart.Projector, "projector", BlockKind.Single);
        project = config.IsClip ? OneLayer(projector, v, width) : TwoLayers(projector, v, width);
    }

    /// <param name="pixels_PC">Normalised patches of all images, row by row, each channel, row, column; fp32.</param>
    /// <param name="watch">Sees the encoder's output [P, V]; for tests.</param>
    /// <returns>[P, E], a row a patch</returns>
    public Tensor Forward(Tensor pixels_PC, Action<string, Tensor>? watch = null)
    {
        var features_PV = Encode(pixels_PC);
        watch?.Invoke("encoder", features_PV);
        return Project(features_PV);
    }

    /// <summary>The encoder's features [P, V] as embeddings of the language model [P, E].</summary>
    public Tensor Project(Tensor features_PV) => projector.Run(project, features_PV);

    /// <summary>The encoder's features [P, V].</summary>
    /// <param name="pixels_PC">As in <see cref="Forward"/>.</param>
    public Tensor Encode(Tensor pixels_PC)
    {
        var device = patches.Value.Device;
        var embed = patches.Use();
        var x_PV = pixels_PC.To(device).To(embed.DType).Linear(embed.View(config.HiddenSize, config.PatchLength), patchBias?.Use());
        var images = x_PV.Size(0) / config.Tokens;
        var x_NTV = x_PV.View(images, config.Tokens, config.HiddenSize);
        if (classToken is not null)
        {
            x_NTV = ShapeOps.Cat([classToken.Use().View(1, 1, -1).Expand(images, 1, config.HiddenSize), x_NTV], 1);
        }

        var tokens = (int)x_NTV.Size(1);
        var x_TV = x_NTV.Add(positions.Use()).View(-1, config.HiddenSize);
        x_TV = normBefore?.Forward(x_TV) ?? x_TV;
        var boundaries = new int[images + 1];
        for (var i = 0; i <= images; i++)
        {
            boundaries[i] = i * tokens;
        }

        var segments = new Segments(boundaries).On(device);
        for (var i = 0; i < blocks.Length; i++)
        {
            x_TV = blocks[i].Forward(x_TV, segments);
        }

        x_TV = normAfter?.Forward(x_TV) ?? x_TV;
        return classToken is null ? x_TV : x_TV.View(images, tokens, config.HiddenSize).Slice(1, 1, tokens).Reshape(-1, config.HiddenSize);
    }

    private static Func<Tensor, Tensor> OneLayer(Block block, long inputs, long outputs) => new Linear(block / "vision_proj" / 0, inputs, outputs).Forward;

    private static Func<Tensor, Tensor> TwoLayers(Block block, long inputs, long outputs)
    {
        var norm = new LayerNorm(block / "mlp" / 0, inputs, 1e-5);
        var first = new Linear(block / "mlp" / 1, inputs, outputs);
        var second = new Linear(block / "mlp" / 3, outputs, outputs);
        return x => second.Forward(first.Forward(norm.Forward(x)).Gelu());
    }
}
