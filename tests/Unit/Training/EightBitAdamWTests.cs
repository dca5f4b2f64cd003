using Fovea.Nn;
using Fovea.Training.Config;
using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>AdamW with moments of 8 bits: the kernel against its definition, and what checkpoints, ranks and the plan ask of it.</summary>
public sealed class EightBitAdamWTests : NativeTest
{
    private const double Rate = 1e-2;
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-8bit").FullName;

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    internal void The_kernel_is_the_formula_to_the_last_byte(DType type)
    {
        // A whole number of blocks and a short one behind them; gradients of all sizes, a block without any, one of numbers below the normal ones.
        const int count = 5000;
        using var scope = TensorScope.Open("test");
        var weights = CreateOps.From(Numbers(count, 1)).To(type);
        var reference = new EightBitReference(weights.To(DType.F32).ToArray<float>());
        var state = new State(count);
        for (var step = 1; step <= 6; step++)
        {
            var given = CreateOps.From(Gradients(count, step)).To(type);
            reference.Step(given.To(DType.F32).ToArray<float>(), step, Rate, 0.9, 0.999, 0.1, 1e-8, number => Rounded(number, type));
            state.Step(weights, given, step, decay: 0.1);

            Assert.Equal(reference.Weights, weights.To(DType.F32).ToArray<float>());
            Assert.Equal(reference.MeanScales, state.MeanScales.ToArray<float>());
            Assert.Equal(reference.SquareScales, state.SquareScales.ToArray<float>());
            Same(reference.Means, state.Means.ToArray<byte>());
            Same(reference.Squares, state.Squares.ToArray<byte>());
        }

        Assert.True(reference.Means.Distinct().Count() > 200 && reference.Squares.Distinct().Count() > 150);
    }

    [Fact]
    public void Other_devices_run_the_same_formula_in_operators()
    {
        // A gradient in fp64 is no business of the kernel's.
        const int count = 4096 + 300;
        using var scope = TensorScope.Open("test");
        var (kernel, plain) = (CreateOps.From(Numbers(count, 2)), CreateOps.From(Numbers(count, 2)));
        var (a, b) = (new State(count), new State(count));
        for (var step = 1; step <= 5; step++)
        {
            var given = CreateOps.From(Gradients(count, step));
            a.Step(kernel, given, step, divisor: 4);
            b.Step(plain, given.To(DType.F64), step, divisor: 4);
        }

        var (x, y) = (kernel.ToArray<float>(), plain.ToArray<float>());
        Assert.All(x.Zip(y), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
        Assert.True(Apart(a.Means, b.Means) < count / 100 && Apart(a.Squares, b.Squares) < count / 100);
        b.Step(plain, CreateOps.From(Gradients(count, 9)).To(DType.F64), 6, skip: true);
        Assert.Equal(y, plain.ToArray<float>());
    }

    [Fact]
    public void A_weight_of_several_slices_is_its_slices_to_the_last_byte()
    {
        const int slice = 1 << 22, count = slice + 300;
        using var scope = TensorScope.Open("test");
        var given = CreateOps.From(Gradients(count, 1)).To(DType.F64);
        var (whole, parts) = (CreateOps.From(Numbers(count, 3)), CreateOps.From(Numbers(count, 3)));
        var (state, first, rest) = (new State(count), new State(slice), new State(count - slice));
        for (var step = 1; step <= 2; step++)
        {
            state.Step(whole, given, step, decay: 0.1, divisor: 3);
            first.Step(parts.Slice(0, 0, slice), given.Slice(0, 0, slice), step, decay: 0.1, divisor: 3);
            rest.Step(parts.Slice(0, slice, count), given.Slice(0, slice, count), step, decay: 0.1, divisor: 3);
        }

        Assert.True(whole.ToArray<float>().AsSpan().SequenceEqual(parts.ToArray<float>()));
        Assert.True(state.Means.ToArray<byte>().AsSpan().SequenceEqual([.. first.Means.ToArray<byte>(), .. rest.Means.ToArray<byte>()]));
        Assert.True(state.Squares.ToArray<byte>().AsSpan().SequenceEqual([.. first.Squares.ToArray<byte>(), .. rest.Squares.ToArray<byte>()]));
        Assert.Equal(rest.MeanScales.ToArray<float>(), state.MeanScales.ToArray<float>()[^2..]);
        Assert.Equal(rest.SquareScales.ToArray<float>(), state.SquareScales.ToArray<float>()[^2..]);
    }

    [Fact]
    public void A_run_goes_on_to_the_last_bit_and_parts_are_the_whole()
    {
        using var whole = new Weights();
        using var parts = new Weights(cut: true);
        whole.Run(1, 4);
        parts.Run(1, 4);
        Assert.Equal(whole.All, parts.All);

        // Two ranks' files are read by one, and one's by two.
        OptimizerFiles.Write(folder, parts.Of(0), 0, 2);
        OptimizerFiles.Write(folder, parts.Of(1), 1, 2);
        using var resumed = new Weights();
        resumed.Restore(folder);
        var other = Directory.CreateDirectory(Path.Combine(folder, "one")).FullName;
        OptimizerFiles.Write(other, resumed.Of(0), 0, 1);
        using var again = new Weights(cut: true);
        again.Restore(other);
        foreach (var one in (Weights[])[whole, resumed, again])
        {
            one.Run(5, 8);
        }

        Assert.Equal(whole.All, resumed.All);
        Assert.Equal(whole.All, again.All);
    }

    [Fact]
    public void Small_weights_and_tables_keep_their_numbers()
    {
        using var weights = new Weights();
        var names = weights.Of(0).State.Select(state => state.Name).ToList();
        Assert.Contains("a.weight.state1", names);
        Assert.Contains("a.weight.absmax2", names);
        Assert.Contains("small.weight.exp_avg", names);
        Assert.Contains("model.embed_tokens.weight.exp_avg_sq", names);
        Assert.DoesNotContain("a.weight.exp_avg", names);

        var bytes = weights.Of(0).State.Where(state => Path.GetExtension(state.Name) is not (".step" or ".master"))
            .Sum(state => state.Value.Count * state.Value.DType.Size());
        var learning = weights.Of(0).Parts.Select(part => part.Parameter).ToList();
        var counted = Optimizers.StatesPerElement(Config.Optimizer, learning, sizeof(float)) * learning.Sum(p => p.Count) * sizeof(float);
        Assert.Equal(bytes, counted, 1e-6);
        Assert.Equal(2 * (5000 + (20 * 4)) + (2 * 4 * (4000 + 8192)), bytes);
    }

    [Fact]
    public void A_loss_that_is_no_number_changes_nothing()
    {
        using var weights = new Weights();
        weights.Run(1, 2);
        var before = (weights.All, weights.State);
        weights.Run(3, 3, loss: double.NaN);
        Assert.Equal(before.All, weights.All);
        Assert.Equal(before.State, weights.State);
    }

    [Fact]
    public void A_file_of_the_other_AdamW_is_named()
    {
        using var weights = new Weights();
        using var parameters = new Weights(keys: "optim: adamw_torch");
        OptimizerFiles.Write(folder, parameters.Of(0), 0, 1);
        Assert.Contains("a.weight.state1", Assert.Throws<CheckpointException>(() => weights.Restore(folder)).Message);
    }

    [Fact]
    public void A_block_is_not_split()
    {
        Assert.Equal((256, 64), (Optimizers.Alignment(Config.Optimizer), Optimizers.Alignment(new OptimizerSection())));
        Assert.Contains("a.weight is split at element 320", Assert.Throws<InvalidOperationException>(CutAmiss).Message);
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private static TrainConfig Config { get; } = Parse("optim: adamw_8bit");

    private static void CutAmiss()
    {
        using var scope = TensorScope.Open("test");
        var weight = CreateOps.Zeros([5000]);
        var parameter = new Parameter("a.weight", [5000], weight, true, DType.F32);
        Optimizers.Create(Config, [new ParameterShard(parameter, 320, weight.Slice(0, 320, 640), () => null)]).Dispose();
    }

    private static TrainConfig Parse(string keys) => TrainConfig.Parse("model_name_or_path: m\n" + keys, "c.yaml", use: ConfigUse.Plan);

    private static float Rounded(float number, DType type)
    {
        if (type == DType.F32)
        {
            return number;
        }

        var bits = BitConverter.SingleToUInt32Bits(number);
        return BitConverter.UInt32BitsToSingle((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000);
    }

    private static void Same(byte[] expected, byte[] got)
    {
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(expected[i] == got[i], $"byte {i}: {got[i]}, not {expected[i]}");
        }
    }

    private static int Apart(Tensor a, Tensor b) => a.ToArray<byte>().Zip(b.ToArray<byte>()).Count(pair => pair.First != pair.Second);

    private static float[] Numbers(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() - 0.5))];
    }

    private static float[] Gradients(int count, int seed)
    {
        var random = new Random(100 + seed);
        return [.. Enumerable.Range(0, count).Select(i => (i / 256) switch
        {
            1 => 0f,
            2 => (float)((random.NextDouble() - 0.5) * 1e-22),
            _ => (float)((random.NextDouble() - 0.5) * Math.Pow(10, -6 * random.NextDouble())),
        })];
    }

    private sealed class State(int count)
    {
        internal Tensor Means { get; } = CreateOps.Zeros([count], DType.U8);

        internal Tensor MeanScales { get; } = CreateOps.Zeros([(count + 255) / 256]);

        internal Tensor Squares { get; } = CreateOps.Zeros([count], DType.U8);

        internal Tensor SquareScales { get; } = CreateOps.Zeros([(count + 255) / 256]);

        internal void Step(Tensor weight, Tensor gradient, int step, double decay = 0, double? divisor = null, bool skip = false) => NetOps.EightBitAdamW_(
            [weight], [gradient], [Means], [MeanScales], [Squares], [SquareScales], [CreateOps.Full([1], step)], Rate, 0.9, 0.999, decay, 1e-8,
            divisor is { } by ? CreateOps.Full([], by) : null, CreateOps.Full([], skip ? 1 : 0));
    }

    /// <summary>A weight in 8 bits, one that is too small for them and a table of embeddings; on one rank, or the first two cut between two.</summary>
    private sealed class Weights : IDisposable
    {
        private static readonly (string Name, int Count, int Cut)[] Shapes =
            [("a.weight", 5000, 2560), ("small.weight", 4000, 1000), ("model.embed_tokens.weight", 8192, 0)];

        private readonly List<(Tensor Value, int Start, string Name)> values = [];
        private readonly List<IOptimizer> optimizers = [];
        private int step;

        internal Weights(bool cut = false, string keys = "optim: adamw_8bit")
        {
            var ranks = new List<ParameterShard>[] { [], [] };
            foreach (var (name, count, at) in Shapes)
            {
                var whole = CreateOps.From(Numbers(count, count)).Keep();
                var parameter = new Parameter(name, [count], whole, true, DType.F32);
                values.Add((whole, -1, name));
                if (!cut)
                {
                    values[^1] = (whole, 0, name);
                    ranks[0].Add(new ParameterShard(parameter));
                    continue;
                }

                for (var (rank, start) = (0, 0); rank < 2; rank++, start = at)
                {
                    var range = start..(rank == 0 && at > 0 ? at : count);
                    if (start >= count || (rank == 1 && at == 0))
                    {
                        continue;
                    }

                    var part = CreateOps.From(Numbers(count, count)[range]).Keep();
                    values.Add((part, start, name));
                    ranks[rank].Add(new ParameterShard(parameter, start, part, () => CreateOps.From(Gradients(count, step)[range])));
                }
            }

            optimizers.AddRange(ranks.Where(parts => parts.Count > 0).Select(parts => Optimizers.Create(Parse(keys), parts)));
        }

        internal IReadOnlyDictionary<string, float[]> All => values.Where(v => v.Start >= 0).GroupBy(v => v.Name)
            .ToDictionary(group => group.Key, group => group.OrderBy(v => v.Start).SelectMany(v => v.Value.ToArray<float>()).ToArray());

        internal Dictionary<string, double[]> State
        {
            get
            {
                using var scope = TensorScope.Open("test");
                return optimizers.SelectMany(o => o.State).ToDictionary(s => $"{s.Name}@{s.Part.Start}", s => s.Value.To(DType.F64).ToArray<double>());
            }
        }

        internal IOptimizer Of(int rank) => optimizers[rank];

        internal void Run(int from, int to, double loss = 0)
        {
            for (step = from; step <= to; step++)
            {
                using var scope = TensorScope.Open("step");
                foreach (var part in optimizers.SelectMany(o => o.Parts).Where(part => part.IsWhole))
                {
                    part.Value.SetGrad(CreateOps.From(Gradients((int)part.Count, step), part.Parameter.Shape));
                }

                foreach (var optimizer in optimizers)
                {
                    optimizer.Update(Rate, 0, CreateOps.Full([], loss, DType.F32));
                }
            }
        }

        internal void Restore(string folder)
        {
            using var files = OptimizerFiles.Open(folder);
            optimizers.ForEach(optimizer => optimizer.Restore(files.Read));
        }

        public void Dispose()
        {
            optimizers.ForEach(optimizer => optimizer.Dispose());
            foreach (var (value, _, _) in values)
            {
                value.SetGrad(null);
                value.Dispose();
            }
        }
    }
}
