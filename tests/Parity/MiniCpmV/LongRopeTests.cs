using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.MiniCpmV;
using Fovea.Nn;

namespace Fovea.Tests.Parity.MiniCpmV;

/// <summary>The language model of V-4 against Transformers (tests/goldens/minicpm_v4/generate.py): a short and a long sequence turn differently.</summary>
public sealed class LongRopeTests : NativeTest
{
    [Fact]
    public void Short_and_long_sequences_in_one_batch_equal_the_original_s_alone()
    {
        var folder = TestFiles.Golden("minicpm_v4");
        var config = MiniCpmVConfig.Read(ConfigReader.Open(Path.Combine(folder, "config.json")));
        Assert.Equal(4, config.Version);
        Assert.Equal(MiniCpmVDialogue.Qwen, config.Dialogue);
        Assert.False(config.Language.AttentionBias);
        Assert.Equal(Golden.Json(Path.Combine(folder, "attention_scaling.json")).GetDouble(), config.Rope.Scale, 1e-12);

        using var results = new Golden(Path.Combine(folder, "results.safetensors"));
        using var checkpoint = Checkpoint.Open(Path.Combine(folder, "model.safetensors"));
        using var ledger = new Ledger(new CheckpointSource(checkpoint), new LedgerOptions());
        var language = new MiniCpmVLanguage(ledger.Root / "llm", config);
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        int[] lengths = [40, 200];
        long[] ids = [.. lengths.SelectMany(length => results.Longs($"ids.{length}"))];
        int[] positions = [.. lengths.SelectMany(length => Enumerable.Range(0, length))];
        int[] whole = [.. lengths.SelectMany(length => Enumerable.Repeat(length, length))];
        var hidden = language.Forward(CreateOps.From(ids), positions, whole, new PackedAttention(new Segments([0, 40, 240])));
        Golden.Near("short", results.Floats("hidden.40"), hidden.Slice(0, 0, 40).ToArray<float>(), 1e-4);
        Golden.Near("long", results.Floats("hidden.200"), hidden.Slice(0, 40, 240).Contiguous().ToArray<float>(), 1e-4);
    }
}
