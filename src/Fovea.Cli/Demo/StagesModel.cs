using System.Text.Json.Nodes;
using Fovea.Files.Pickle;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Cli.Demo;

/// <summary>A small language model with random weights and a random image encoder as a MiniMind-V folder: what the first stage begins with.</summary>
internal static class StagesModel
{
    private const int Width = 128;
    private const int Picture = 256;
    private const int Patch = 32;
    private const double Deviation = 0.06;

    // Positions must stand out beside patches, whose many values add up.
    private const double PositionDeviation = 1;

    /// <returns>How many weights it has.</returns>
    public static long Write(string folder, DemoTokenizer tokenizer, int seed)
    {
        Directory.CreateDirectory(Path.Combine(folder, "encoder"));
        tokenizer.Write(folder);
        Save(folder, "config.json", new JsonObject
        {
            ["model_type"] = "minimind-v",
            ["hidden_size"] = Width,
            ["num_hidden_layers"] = 3,
            ["num_attention_heads"] = 4,
            ["num_key_value_heads"] = 2,
            ["vocab_size"] = tokenizer.VocabularySize,
            ["image_ids"] = new JsonArray(tokenizer.IdOf("<|image_pad|>")),
            ["image_token_len"] = Picture / Patch * (Picture / Patch),
            ["max_position_embeddings"] = DemoModel.MaxPositions,
            ["weights"] = $"llm_{Width}.pth",
            ["vision_model"] = "encoder",
        });
        var encoder = Path.Combine(folder, "encoder");
        Save(encoder, "config.json", new JsonObject
        {
            ["model_type"] = "siglip_vision_model", ["hidden_size"] = Width, ["intermediate_size"] = 256, ["num_hidden_layers"] = 2,
            ["num_attention_heads"] = 4, ["image_size"] = Picture, ["patch_size"] = Patch, ["hidden_act"] = "gelu_pytorch_tanh", ["layer_norm_eps"] = 1e-6,
        });
        Save(encoder, "preprocessor_config.json", new JsonObject
        {
            ["image_processor_type"] = "SiglipImageProcessor", ["resample"] = 2, ["size"] = new JsonObject { ["height"] = Picture, ["width"] = Picture },
            ["image_mean"] = new JsonArray(0.5, 0.5, 0.5), ["image_std"] = new JsonArray(0.5, 0.5, 0.5),
        });
        return WriteWeights(folder, encoder, seed);
    }

    private static long WriteWeights(string folder, string encoder, int seed)
    {
        Torch.Seed((ulong)seed);
        using var scope = TensorScope.Open("step");
        var source = ModelSource.Open(folder);
        using var model = source.Build(new RandomSource(Deviation), new ModelOptions());
        var parts = model.Ledger.Parameters.ToLookup(weight => source.Family.PartOf(weight.Name));
        foreach (var positions in parts[ModelPart.Vision].Where(weight => weight.Name.EndsWith("position_embedding.weight", StringComparison.Ordinal)))
        {
            positions.Value.Normal_(0, PositionDeviation);
        }

        // The projector is left out: a run begins it afresh, as with any language model.
        PickleWriter.WriteStateDict(
            Path.Combine(folder, $"llm_{Width}.pth"), [.. parts[ModelPart.Language].Select(weight => TensorBytes.Source(weight.Name, weight.Value))]);
        SafetensorsWriter.Write(
            Path.Combine(encoder, "model.safetensors"),
            [.. parts[ModelPart.Vision].Select(weight => TensorBytes.Source(weight.Name["vision_encoder.".Length..], weight.Value))],
            SafetensorsWriter.PyTorchMetadata);
        return model.Ledger.Count;
    }

    private static void Save(string folder, string name, JsonObject json) =>
        File.WriteAllText(Path.Combine(folder, name), json.ToJsonString(new() { WriteIndented = true, NewLine = "\n" }) + "\n");
}
