using System.Text.Json;
using Fovea.Models;
using Fovea.Models.MiniMindV;

namespace Fovea.Tests.Parity.MiniMindV;

/// <summary>Both generations, dense and with experts, against the published code on the same random weights, fp32.</summary>
public sealed class ForwardTests : NativeTest
{
    private MiniMindFolder? folder;
    private MiniMindVModel? model;
    private Golden? golden;

    public static TheoryData<string, string> Models => new() { { "a", "dense" }, { "a", "moe" }, { "c", "dense" }, { "c", "moe" } };

    [Theory]
    [MemberData(nameof(Models))]
    public void Every_part_of_a_sample_with_an_image_agrees(string generation, string kind)
    {
        Open(generation, kind);
        var first = Cases().First();
        var name = Name(first);
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        using var batch = Batch(first);
        var input = model!.Prepare(batch);
        var side = new SideLosses();
        var features = model.Vision.Forward(input.Pixels!, (_, x) => Near($"{name}.vision_feat", x));
        Near($"{name}.proj", features);
        var seen = 0;
        var hidden = model.Language.Forward(input with { Side = side }, new VisualFeatures(features).At(input), (what, x) =>
        {
            Near($"{name}.{(folder!.IsA ? what.Replace("mlp_out", "ffn_out") : what)}", x);
            seen++;
        });
        Assert.Equal((model.Layers * 3) + 1, seen);
        Near($"{name}.hidden_norm", hidden);
        var logits = hidden.Linear(model.Head.Use());
        Near($"{name}.logits_at", logits.IndexSelect(0, CreateOps.On(TestDevice.Device, Longs(first.GetProperty("logits_positions")))));
        CheckAuxiliary(first, side);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Losses_of_every_token_and_of_the_router_agree_for_several_samples_and_images_and_cut_ones(string generation, string kind)
    {
        Open(generation, kind);
        var compared = 0;
        foreach (var item in Cases().Where(item => golden!.Names.Contains($"{Name(item)}.nll") && item.GetProperty("mode").GetString() != "mask"))
        {
            using var grad = Autograd.NoGrad();
            using var scope = TensorScope.Open("test");
            using var batch = Batch(item);
            var input = model!.Prepare(batch);
            var trains = item.GetProperty("mode").GetString() == "train";
            var side = new SideLosses();
            var hidden = model.Hidden(input with { Side = trains ? side : null }, model.VisionFeatures(input));
            var losses = hidden.Linear(model.Head.Use()).CrossEntropy(CreateOps.On(TestDevice.Device, batch.Targets)).View(batch.Samples, -1);
            var expected = golden!.Shape($"{Name(item)}.nll");
            if (!folder!.IsA)
            {
                // Its code computes the loss of labelled tokens only, and says 0 elsewhere.
                var counts = new float[batch.Targets.Length];
                for (var i = 0; i < counts.Length; i++)
                {
                    counts[i] = Labels(item)[i / Length(item)][i % Length(item)] == -100 ? 0 : 1;
                }

                losses = losses.Mul(CreateOps.On(TestDevice.Device, counts, batch.Samples, Length(item))).Slice(1, 0, expected[1]);
            }

            Near(Name(item), golden.Floats($"{Name(item)}.nll"), losses.Contiguous().ToArray<float>());
            CheckAuxiliary(item, side);
            compared++;
        }

        Assert.True(compared >= 4, $"{compared} cases");
    }

    protected override void Cleanup()
    {
        model?.Dispose();
        golden?.Dispose();
        folder?.Dispose();
    }

    private static string Name(JsonElement item) => item.GetProperty("case").GetString()!;

    private static long[] Longs(JsonElement list) => [.. list.EnumerateArray().Select(v => v.GetInt64())];

    private static long[][] Rows(JsonElement list) => [.. list.EnumerateArray().Select(Longs)];

    private void Open(string generation, string kind)
    {
        folder = new MiniMindFolder(generation, kind);
        model = folder.Load(new ModelOptions { Device = TestDevice.Device, Family = new MiniMindVOptions { MoeAux = MoeAuxiliary.Original } });
        golden = new Golden(folder.Golden($"{kind}/forward.safetensors"));
        Assert.Empty(model.Notices);
    }

    private IEnumerable<JsonElement> Cases() => folder!.Json($"{folder.Kind}/forward.json").GetProperty("cases").EnumerateArray();

    private long[][] Ids(JsonElement item) => Rows(item.GetProperty(folder!.IsA ? "X" : "input_ids"));

    private int Length(JsonElement item) => Ids(item)[0].Length;

    /// <summary>The next token's label at every position of generation C.</summary>
    private static long[][] Labels(JsonElement item) => Array.ConvertAll(Rows(item.GetProperty("labels")), row => (long[])[.. row[1..], -100]);

    private Fovea.Data.Packing.PackedBatch Batch(JsonElement item)
    {
        var stage = ModelSource.Open(folder!.Path).Process().Images;
        var rows = folder.Rows(item.GetProperty("file").GetString()!);
        var images = Longs(item.GetProperty("rows")).Select(row => folder.Images(rows[(int)row])).ToList();
        var targets = folder.IsA ? Rows(item.GetProperty("Y")) : Array.ConvertAll(Labels(item), row => Array.ConvertAll(row, id => Math.Max(id, 0)));
        return folder.Batch(Ids(item), targets, images, stage);
    }

    private void Near(string name, Tensor actual)
    {
        var (expected, seen) = golden!.Pairs(name, actual.Detach().To(DType.F32).Contiguous().ToArray<float>());
        Near(name, expected, seen);
    }

    /// <summary>
    /// Generation A rounds what its experts make to half precision when it trains. A sum that lies between two such numbers may fall to either side, so
    /// single elements may differ by one step of half precision there; nearly all are equal.
    /// </summary>
    private void Near(string name, float[] expected, float[] actual)
    {
        var rounds = folder is { IsA: true, Kind: "moe" } && !name.Contains("_eval", StringComparison.Ordinal);
        Golden.Near(name, expected, actual, rounds ? 2e-3 : 1e-4);
        Golden.NearRelative(name, expected, actual, rounds ? 5e-5 : 1e-5);
    }

    private static void CheckAuxiliary(JsonElement item, SideLosses side)
    {
        var auxiliary = side.Close();
        Assert.Equal(item.GetProperty("aux_loss").GetDouble(), auxiliary?.Item() ?? 0, TestDevice.Tolerance(1e-5));
    }
}
