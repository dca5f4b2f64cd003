using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.Lora;

namespace Fovea.Tests.Unit.Nn;

/// <summary>The mixer of Qwen3.5 against what Transformers has in it, and what its parts are called.</summary>
public sealed class GatedDeltaMixerTests : NativeTest
{
    private const string Layer = "model.language_model.layers.0";

    private static readonly GatedDeltaShape Shape = new()
    {
        Width = 96, KeyHeads = 2, KeySize = 16, ValueHeads = 4, ValueSize = 24, ConvolutionLength = 4, NormEpsilon = 1e-6,
    };

    [Fact]
    public void Every_part_equals_the_reference_over_several_chunks()
    {
        const string reference = "golden/qwen3_5";
        var folder = TestFiles.Shared(reference) ?? TestFiles.SkipMissing(reference);
        using var scope = TensorScope.Open("test");
        using var files = Checkpoint.Open(Path.Combine(DrawnModel.Place(Path.Combine(folder, "model")), "model.safetensors"));
        using var ledger = new Ledger(new CheckpointSource(files), new LedgerOptions());
        var mixer = new GatedDeltaMixer(ledger.Root / $"{Layer}.linear_attn", Shape, 0);
        var table = (ledger.Root / "model.language_model.embed_tokens").Take("weight", 2048, Shape.Width);
        var gain = (ledger.Root / $"{Layer}.input_layernorm").Take("weight", Shape.Width).Use().Add(1);
        var ids = Parity.Golden.Json(Path.Combine(folder, "forward.json")).GetProperty("samples").GetProperty("long").GetProperty("input_ids")
            .EnumerateArray().Select(id => id.GetInt64()).ToArray();
        var input = table.Use().Embedding(CreateOps.From(ids)).RmsNorm(gain, 1e-6);
        using var golden = new Parity.Golden(Path.Combine(folder, "forward.safetensors"));
        var plan = new Watched(new PackedAttention(new Segments([0, ids.Length])));
        mixer.Forward(input, plan, watch: (name, value) =>
            golden.Near($"long.layer0.gdn.{name}", name == "norm_out" ? value.View(-1, Shape.ValueSize) : value, 2e-5));
        golden.Near("long.layer0.gdn.state", plan.States!.Squeeze(0), 2e-5);
    }

    [Fact]
    public void Adapters_and_weights_have_the_names_of_the_checkpoint()
    {
        using var ledger = new Ledger(new RandomSource(0.1), new LedgerOptions());
        _ = new GatedDeltaMixer(ledger.Root / "linear_attn", Shape, 0);
        string[] linears = ["in_proj_qkv", "in_proj_z", "in_proj_b", "in_proj_a", "out_proj"];
        string[] weights = ["A_log", "conv1d.weight", "dt_bias", "norm.weight", .. linears.Select(name => $"{name}.weight")];
        Assert.Equal(weights.Select(name => $"linear_attn.{name}").Order(), ledger.Parameters.Select(p => p.Name).Order());
        Assert.Equal(linears.Select(name => $"linear_attn.{name}"), Adapters.Attach(ledger, new LoraOptions { Rank = 2 }, _ => true).Select(l => l.Path));
    }

    [Fact]
    public void Wanted_rows_are_those_of_the_whole()
    {
        using var scope = TensorScope.Open("test");
        Torch.Seed(1);
        using var ledger = new Ledger(new RandomSource(0.1), new LedgerOptions());
        var mixer = new GatedDeltaMixer(ledger.Root / "linear_attn", Shape, 0);
        var x = CreateOps.Empty([50, Shape.Width]).Normal_(0, 1);
        var plan = new PackedAttention(new Segments([0, 20, 50]));
        var rows = CreateOps.From([3L, 19L, 20L, 49L]);
        var (whole, some) = (mixer.Forward(x, plan).IndexSelect(0, rows).ToArray<float>(), mixer.Forward(x, plan, rows).ToArray<float>());
        Parity.Golden.Near("rows", whole, some, 1e-6);
    }

    /// <summary>Keeps the states behind the tokens.</summary>
    private sealed class Watched(PackedAttention plan) : ISequencePlan
    {
        public Tensor? States { get; private set; }

        public Tensor Attend(int layer, Tensor q_THD, Tensor k_TGD, Tensor v_TGD, double scale) => plan.Attend(layer, q_THD, k_TGD, v_TGD, scale);

        public Tensor Convolve(int layer, GatedDeltaShape shape, Tensor x_TC, Tensor weight_CK) => plan.Convolve(layer, shape, x_TC, weight_CK);

        public Tensor Recur(int layer, GatedDeltaShape shape, Tensor mixed_TC, Tensor g_TH, Tensor beta_TH)
        {
            var (q_TJK, k_TJK, v_THV) = shape.Parts(mixed_TC);
            var (y, states) = RecurrentOps.DeltaRuleFrom(q_TJK, k_TJK, v_THV, g_TH, beta_TH, [0, v_THV.Size(0)], null);
            States = states;
            return y;
        }
    }
}
