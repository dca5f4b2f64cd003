using Fovea.Distributed;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Testing;
using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>Adapters are cast once a step for all passes, which changes no number.</summary>
public sealed class AdapterCopiesTests : NativeTest
{
    [Theory]
    [InlineData(BlockMode.Keep, 0)]
    [InlineData(BlockMode.Recompute, 0)]
    [InlineData(BlockMode.Selective, 0.1)]
    [InlineData(BlockMode.Recompute, 0.1)]
    internal void Gradients_are_bitwise_those_of_adapters_cast_in_each_pass(BlockMode mode, double dropout)
    {
        var options = new ModelOptions { Compute = DType.BF16, BlockMode = mode, Trainable = (_, _) => false };
        using var model = Build(options, dropout, out var stream);
        using var owned = stream;
        using var batch = MidModel.Batch(1);
        stream?.Begin(3, new long[batch.Tokens], [.. Enumerable.Range(0, batch.Tokens)]);
        var cast = Gradients(model, batch);
        Dictionary<string, float[]> kept;
        using (new AdapterCopies(model.Ledger).Open())
        {
            Assert.All(model.Ledger.AdapterParameters, p => Assert.Equal(DType.BF16, p.Copy!.DType));
            kept = Gradients(model, batch);
        }

        Assert.All(model.Ledger.AdapterParameters, p => Assert.Null(p.Copy));
        Assert.Contains(cast, g => g.Value.Any(v => v != 0));
        Assert.All(cast, g => Assert.True(g.Value.AsSpan().SequenceEqual(kept[g.Key]), g.Key));
    }

    [Fact]
    public void A_step_casts_once_whatever_its_micro_batches_and_finds_weights_as_the_optimizer_left_them()
    {
        using var model = Build(new ModelOptions { Compute = DType.BF16, BlockMode = BlockMode.Recompute, Trainable = (_, _) => false }, 0, out _);
        using var batch = MidModel.Batch(1);
        var runner = new StepRunner(model, visionLearns: false);
        using var optimizer = new AdamW(model.Ledger.AdapterParameters, 0.9, 0.999, 1e-8, 0);
        var casts = 0;
        Operator.Watcher = (op, _) => casts += op.Name == "aten::_foreach_copy_" ? 1 : 0;
        try
        {
            var losses = new List<double>();
            for (var step = 1; step <= 2; step++)
            {
                using (runner.CastAdapters())
                {
                    losses.Add(runner.Train(batch, 0).Loss);
                    Assert.Equal(losses[^1], runner.Train(batch, 0).Loss);
                }

                Assert.Equal(step, casts);
                optimizer.Step(1e-2);
            }

            losses.Add(runner.Evaluate(batch).Loss); // outside of a step it casts for itself
            Assert.Equal(3, casts);
            Assert.True(losses[0] > losses[1] && losses[1] > losses[2], string.Join(' ', losses));
        }
        finally
        {
            Operator.Watcher = null;
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.1)]
    public void Copies_are_what_is_used(double dropout)
    {
        using var model = Build(new ModelOptions { Compute = DType.BF16, BlockMode = BlockMode.Keep, Trainable = (_, _) => false },
            dropout, out var stream);
        using var owned = stream;
        using var batch = MidModel.Batch(1);
        var runner = new StepRunner(model, visionLearns: false, stream);
        var with = Loss();
        using var open = runner.CastAdapters();
        foreach (var parameter in model.Ledger.AdapterParameters)
        {
            parameter.Copy!.Zero_();
        }

        var without = Loss();
        Assert.NotEqual(with, without);
        Adapters.Merge(Zeroed(model));
        Assert.Equal(runner.Evaluate(batch).Loss, without);

        double Loss()
        {
            var loss = runner.Train(batch, 0).Loss;
            foreach (var parameter in model.Ledger.AdapterParameters)
            {
                parameter.Value.SetGrad(null);
            }

            return loss;
        }
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(3, false)]
    public void Of_divided_weights_those_have_copies_that_are_whole_all_the_time(int stage, bool whole)
    {
        using var model = Build(
            new ModelOptions { Compute = DType.BF16, Trainable = (_, _) => false, Deferred = true }, 0, out _);
        using var mesh = Mesh.Alone();
        using var sharded = new ZeroSharding(mesh, model.Ledger, model.Head, new ShardingOptions { Stage = stage });
        using var open = new AdapterCopies(model.Ledger).Open();
        Assert.All(model.Ledger.AdapterParameters, p => Assert.Equal(whole, p.Copy is not null));
    }

    [Fact]
    public void Nothing_is_copied_where_adapters_have_the_type_of_the_computation()
    {
        using var model = Build(new ModelOptions { Trainable = (_, _) => false }, 0, out _);
        using var open = new AdapterCopies(model.Ledger).Open();
        Assert.All(model.Ledger.AdapterParameters, p => Assert.Null(p.Copy));
    }

    [Fact]
    public void Matrices_of_one_input_are_neighbours_and_take_what_the_plan_counts()
    {
        using var model = Build(new ModelOptions { Compute = DType.BF16, Trainable = (_, _) => false }, 0, out _);
        using var open = new AdapterCopies(model.Ledger).Open();
        Tensor A(string name) => model.Ledger.Linears.Single(l => l.Path == $"model.layers.1.{name}").Lora!.A.Copy!;
        long Address(Tensor tensor) => tensor.Memory().Address;
        var (q, k, v) = (A("self_attn.q_proj"), A("self_attn.k_proj"), A("self_attn.v_proj"));
        Assert.Equal((Address(q) + (q.Count * 2), Address(k) + (k.Count * 2)), (Address(k), Address(v)));
        var addresses = model.Ledger.AdapterParameters.Select(p => Address(p.Copy!)).ToList();
        var last = model.Ledger.AdapterParameters.MaxBy(p => Address(p.Copy!))!;
        var taken = addresses.Max() + AdapterCopies.Bytes([last.Count], 2) - addresses.Min();
        Assert.Equal(AdapterCopies.Bytes(model.Ledger.AdapterParameters.Select(p => p.Count), 2), taken);
    }

    private static Ledger Zeroed(VisionLanguageModel model)
    {
        using var grad = Autograd.NoGrad();
        foreach (var parameter in model.Ledger.AdapterParameters)
        {
            parameter.Value.Zero_();
        }

        return model.Ledger;
    }

    private static VisionLanguageModel Build(ModelOptions options, double dropout, out DropoutStream? stream)
    {
        var model = SmallModel.Build(options);
        stream = dropout > 0 ? new DropoutStream(dropout, 1) : null;
        bool Language(string path) => path.StartsWith("model.layers.", StringComparison.Ordinal);
        foreach (var linear in Adapters.Attach(model.Ledger, new LoraOptions(), Language, dropout: stream))
        {
            using var grad = Autograd.NoGrad();
            linear.Lora!.B.Value.Normal_(0, 0.02);
        }

        return model;
    }

    private static Dictionary<string, float[]> Gradients(VisionLanguageModel model, Fovea.Data.Packing.PackedBatch batch)
    {
        using var scope = TensorScope.Open("test");
        var hidden = model.Hidden(model.Prepare(batch), null);
        Torch.Seed(5);
        Autograd.Backward(hidden, CreateOps.Empty(hidden.Shape).Normal_(0, 1).To(hidden.DType));
        var gradients = new Dictionary<string, float[]>();
        foreach (var parameter in model.Ledger.AdapterParameters)
        {
            gradients[parameter.Name] = parameter.Value.Grad()!.ToArray<float>();
            parameter.Value.SetGrad(null);
        }

        return gradients;
    }
}
