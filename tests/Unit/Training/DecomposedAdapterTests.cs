using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn;
using Fovea.Nn.FourBit;
using Fovea.Nn.Lora;
using Fovea.Testing;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>What defines DoRA: with the rows' own lengths as magnitudes it is LoRA, and merged it computes the same.</summary>
public sealed class DecomposedAdapterTests : NativeTest
{
    private static readonly LoraOptions Decomposed = new() { Decomposed = true };

    [Theory]
    [InlineData(DType.F32, 1e-5)]
    [InlineData(DType.BF16, 0.05)]
    internal void The_first_forward_pass_is_the_base_s(DType compute, double tolerance)
    {
        using var model = SmallModel.Build(Options(compute));
        using var batch = MidModel.Batch(1);
        var before = Hidden(model, batch);
        Adapters.Attach(model.Ledger, Decomposed, Language);
        Near(before, Hidden(model, batch), tolerance);
    }

    [Theory]
    [InlineData(DType.F32, 1e-4)]
    [InlineData(DType.BF16, 0.1)]
    internal void With_the_lengths_of_the_updated_rows_it_is_LoRA(DType compute, double tolerance)
    {
        using var model = Build(compute);
        using var batch = MidModel.Batch(1);
        foreach (var linear in model.Ledger.Linears.Where(linear => linear.Lora is not null))
        {
            using var grad = Autograd.NoGrad();
            using var scope = TensorScope.Open("test");
            linear.Lora!.Magnitude!.Value.Copy_(linear.Weight.Value.To(DType.F32).Add(linear.Lora.Delta()).RowNorms());
        }

        var decomposed = Hidden(model, batch);
        using var plain = Build(compute, new LoraOptions());
        CopyMatrices(model, plain);
        Near(Hidden(plain, batch), decomposed, tolerance);
    }

    [Theory]
    [InlineData(DType.F32, 1e-4, false)]
    [InlineData(DType.F32, 1e-4, true)]
    [InlineData(DType.BF16, 0.1, false)]
    internal void Merged_it_computes_the_same(DType compute, double tolerance, bool deferred)
    {
        using var model = Build(compute, options: Options(compute) with { Deferred = deferred });
        using var batch = MidModel.Batch(1);
        if (deferred)
        {
            using var whole = Build(compute);
            var expected = Hidden(whole, batch);
            Adapters.Merge(model.Ledger);
            model.Ledger.Settle();
            Near(expected, Hidden(model, batch), tolerance);
            return;
        }

        var adapted = Hidden(model, batch);
        Adapters.Merge(model.Ledger);
        Assert.Empty(model.Ledger.AdapterParameters);
        Near(adapted, Hidden(model, batch), tolerance);
    }

    [Theory]
    [InlineData(DType.F32, 0)]
    [InlineData(DType.F32, 0.1)]
    [InlineData(DType.BF16, 0.1)]
    internal void Gradients_are_bitwise_the_same_whatever_blocks_keep(DType compute, double dropout)
    {
        var kept = Gradients(compute, BlockMode.Keep, dropout);
        Assert.All(kept, gradient => Assert.Contains(gradient.Value, value => value != 0));
        Assert.Equal(3 * 7 * 3, kept.Count);
        foreach (var mode in new[] { BlockMode.Selective, BlockMode.Recompute })
        {
            foreach (var (name, gradient) in Gradients(compute, mode, dropout))
            {
                Assert.True(kept[name].AsSpan().SequenceEqual(gradient), $"{name} with {mode}");
            }
        }
    }

    [Theory]
    [InlineData(DType.F32, 0, 1e-4)]
    [InlineData(DType.F32, 0.1, 1e-4)]
    [InlineData(DType.BF16, 0, 0.05)]
    internal void Over_a_base_in_4_bits_it_is_what_it_is_over_the_matrices_that_this_unpacks_to(DType compute, double dropout, double tolerance)
    {
        var options = Options(compute) with { FourBit = new FourBitOptions(FourBitType.Nf4, DoubleQuantization: true) };
        using var packed = SmallModel.Build(options);
        var found = Gradients(compute, BlockMode.Recompute, dropout, options, model => Assert.Contains(model.Ledger.Linears, l => l.Weight.Packed is not null));
        var expected = Gradients(compute, BlockMode.Keep, dropout, Options(compute), Unpack);
        Assert.Equal(3 * 7 * 3, found.Count);
        Assert.All(expected, pair => Parity.Golden.NearRelative(pair.Key, pair.Value, found[pair.Key], tolerance));

        void Unpack(VisionLanguageModel model)
        {
            foreach (var linear in model.Ledger.Linears)
            {
                using var scope = TensorScope.Open("test");
                linear.Weight.Replace(packed.Ledger[linear.Weight.Name].Dense().Clone().Keep());
            }
        }
    }

    [Fact]
    public void With_dropout_the_base_s_own_result_is_of_the_whole_input_and_what_was_learnt_of_the_rest()
    {
        // As PEFT computes it: base(x) + (g - 1) W d(x) + g scale B A d(x).
        using var stream = new DropoutStream(0.3, 1);
        using var model = Build(DType.F32, dropout: stream);
        var linear = model.Ledger.Linears.First(l => l.Path.EndsWith("q_proj", StringComparison.Ordinal));
        using var scope = TensorScope.Open("test");
        Torch.Seed(7);
        var x = CreateOps.Empty([5, linear.Inputs]).Normal_(0, 1);
        stream.Begin(1, new long[5], [0, 1, 2, 3, 4]);
        var y = linear.Forward(x);
        var lora = linear.Lora!;
        var dropped = stream.Apply(x, lora.Part, lora.Module);
        var weight = linear.Weight.Value;
        var g = lora.Magnitude!.Value.Div(weight.Add(lora.Delta()).RowNorms());
        var expected = x.Linear(weight, linear.Bias!.Value).Add(g.Add(-1).Mul(dropped.Linear(weight)))
            .Add(g.Mul(dropped.Linear(lora.A.Value).Linear(lora.B.Value).Mul(lora.Scale)));
        Near(expected.ToArray<float>(), y.ToArray<float>(), 1e-4);
        Assert.NotEqual(x.ToArray<float>(), dropped.ToArray<float>());
    }

    [Fact]
    public void No_gradient_goes_through_the_norm()
    {
        // d/dm of sum(y u) is sum over rows of u (W + s B A) x / norm.
        using var model = Build(DType.F32);
        var linear = model.Ledger.Linears.First(l => l.Path.EndsWith("o_proj", StringComparison.Ordinal));
        using var scope = TensorScope.Open("test");
        Torch.Seed(8);
        var x = CreateOps.Empty([5, linear.Inputs]).Normal_(0, 1);
        var u = CreateOps.Empty([5, linear.Outputs]).Normal_(0, 1);
        Autograd.Backward(linear.Forward(x), u);
        var lora = linear.Lora!;
        using var grad = Autograd.NoGrad();
        var updated = linear.Weight.Value.Add(lora.Delta());
        var norm = updated.RowNorms();
        Near(u.Mul(x.Linear(updated)).Sum(0).Div(norm).ToArray<float>(), lora.Magnitude!.Value.Grad()!.ToArray<float>(), 1e-3);

        // The same for B with the norm a constant: g u^T times s A x.
        var g = lora.Magnitude.Value.Div(norm);
        var expected = u.Mul(g).Transpose().MatMul(x.Linear(lora.A.Value).Mul(lora.Scale));
        Near(expected.ToArray<float>(), lora.B.Value.Grad()!.ToArray<float>(), 1e-3);
        foreach (var parameter in lora.Parameters)
        {
            parameter.Value.SetGrad(null);
        }
    }

    [Fact]
    public void Saved_and_read_again_it_is_the_same_and_cannot_serve_beside_others()
    {
        var folder = Directory.CreateTempSubdirectory("fovea-dora-").FullName;
        try
        {
            using var model = Build(DType.F32);
            using var batch = MidModel.Batch(1);
            var expected = Hidden(model, batch);
            var names = model.Ledger.Linears.Where(linear => linear.Lora is not null).Select(linear => model.Names.ToModule(linear.Path)).ToList();
            PeftAdapter.Save(model, new PeftConfig { Lora = Decomposed, TargetModules = names }, folder);
            Assert.Contains("with magnitudes (DoRA)", File.ReadAllText(Path.Combine(folder, "README.md")), StringComparison.Ordinal);

            using var read = SmallModel.Build(Options(DType.F32));
            Assert.Contains("cannot serve beside others", Assert.Throws<ConfigException>(
                () => PeftAdapter.Open(read, Families.All[0], "one", folder)).Message, StringComparison.Ordinal);
            PeftAdapter.Attach(read, Families.All[0], folder, trainable: false);
            Assert.Equal(expected, Hidden(read, batch));
            Assert.Equal(expected, Hidden(read, batch)); // with what was kept of the norms
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static bool Language(string path) => path.StartsWith("model.layers.", StringComparison.Ordinal);

    private static ModelOptions Options(DType compute) => new() { Compute = compute, Trainable = (_, _) => false };

    /// <summary>Adapters of which every gradient matters: neither is B zero, nor are the magnitudes the rows' lengths.</summary>
    private static VisionLanguageModel Build(
        DType compute, LoraOptions? lora = null, ModelOptions? options = null, DropoutStream? dropout = null, Action<VisionLanguageModel>? before = null)
    {
        var model = SmallModel.Build(options ?? Options(compute));
        before?.Invoke(model);
        Torch.Seed(4);
        foreach (var linear in Adapters.Attach(model.Ledger, lora ?? Decomposed, Language, dropout: dropout))
        {
            using var grad = Autograd.NoGrad();
            using var scope = TensorScope.Open("test");
            linear.Lora!.B.Value.Normal_(0, 0.02);
            if (linear.Lora.Magnitude is { Value: var magnitude })
            {
                magnitude.Copy_(magnitude.Mul(CreateOps.Empty(magnitude.Shape).Uniform_(0.8, 1.2)));
            }
        }

        return model;
    }

    private static void CopyMatrices(VisionLanguageModel from, VisionLanguageModel to)
    {
        using var grad = Autograd.NoGrad();
        foreach (var parameter in to.Ledger.AdapterParameters)
        {
            parameter.Value.Copy_(from.Ledger[parameter.Name].Value);
        }
    }

    private static float[] Hidden(VisionLanguageModel model, PackedBatch batch)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        return model.Hidden(model.Prepare(batch), null).To(DType.F32).ToArray<float>();
    }

    private static Dictionary<string, float[]> Gradients(
        DType compute, BlockMode mode, double dropout, ModelOptions? options = null, Action<VisionLanguageModel>? before = null)
    {
        using var stream = dropout > 0 ? new DropoutStream(dropout, 1) : null;
        using var model = Build(compute, options: (options ?? Options(compute)) with { BlockMode = mode }, dropout: stream, before: before);
        using var batch = MidModel.Batch(1);
        stream?.Begin(3, new long[batch.Tokens], [.. Enumerable.Range(0, batch.Tokens)]);
        var runner = new StepRunner(model, visionLearns: false, stream);
        using var copies = runner.CastAdapters();
        runner.Train(batch, 3);
        var gradients = new Dictionary<string, float[]>();
        foreach (var parameter in model.Ledger.AdapterParameters)
        {
            using var scope = TensorScope.Open("test");
            gradients[parameter.Name] = parameter.Value.Grad()!.ToArray<float>();
            parameter.Value.SetGrad(null);
        }

        return gradients;
    }

    private static void Near(float[] expected, float[] actual, double tolerance)
    {
        var largest = expected.Zip(actual, (a, b) => Math.Abs((double)a - b)).Max();
        var scale = Math.Sqrt(expected.Average(value => (double)value * value));
        Assert.True(largest <= tolerance * Math.Max(1, scale), $"differs by {largest} where values are of {scale}");
    }
}
