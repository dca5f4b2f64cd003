namespace Fovea.Tests.Unit.Generation;

/// <summary>Attention over pages: the formula, and for each token the same bits however its sequence was cut and whatever else was in the pass.</summary>
public sealed class AttendPagesTests : NativeTest
{
    private const int Pages = 48;

    private static readonly Operator ByTiles = new("fovea::attend_pages_by_tiles");
    private static readonly Operator PackedByTiles = new("fovea::attention_by_tiles");
    private static readonly Operator Plain = new("fovea::attend_plain_pages");

    private static readonly int[] Lengths = [1, 64, 65, 150, 600];

    private delegate Tensor Attend(Tensor q, Tensor k, Tensor v, Tensor keys, Tensor values, Tensor tables, Tensor offsets, Tensor past, double scale);

    public static IEnumerable<TheoryDataRow> Shapes =>
        from dtype in new[] { DType.F32, DType.BF16, DType.F16 }
        from shape in new (int Groups, int Ratio, int Size)[] { (2, 7, 64), (1, 6, 80), (3, 2, 96), (1, 8, 128), (2, 1, 15), (1, 3, 33) }
        select new TheoryDataRow(dtype, shape.Groups, shape.Ratio, shape.Size);

    [Theory]
    [MemberData(nameof(Shapes))]
    [Trait("Category", "Long")]
    internal void Any_chunks_in_any_company_give_the_bits_of_one_causal_pass(DType dtype, int groups, int ratio, int size)
    {
        using var grad = Autograd.NoGrad();
        for (var tiles = 1; tiles <= 3; tiles++)
        {
            using var scope = TensorScope.Open("test");
            var scale = 1 / Math.Sqrt(size);
            var pool = new Pool(dtype, groups, size);
            var sequences = Draw(dtype, groups, ratio, size);
            Tensor Attend(Tensor q, Tensor k, Tensor v, Tensor keys, Tensor values, Tensor tables, Tensor offsets, Tensor past, double by) =>
                ByTiles.Call(q, k, v, keys, values, tables, offsets, past, by, tiles);

            foreach (var s in sequences)
            {
                // fovea::attention over the whole sequence sums in the same order.
                var packed = PackedByTiles.Call(s.Q, s.K, s.V, new long[] { 0, s.Length }, true, scale, tiles).Reshape(s.Length, -1);
                s.Expected = Numbers(packed);
                Near(s.Formula(scale), s.Expected, dtype);
            }

            for (var round = 0; round < 3; round++)
            {
                pool.Spoil(round);
                Answer(sequences, pool, Attend, scale, new Random(17 * round + size));
                Assert.All(sequences, s => Assert.True(s.Expected.AsSpan().SequenceEqual(s.Got.ToArray()), $"tiles {tiles}, length {s.Length}"));
            }
        }
    }

    [Fact]
    public void A_copied_page_carries_a_prefix_to_another_sequence()
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        var pool = new Pool(DType.BF16, 2, 64);
        var s = Draw(DType.BF16, 2, 3, 64)[3];
        s.Table = [5, 9, 2];
        var whole = Numbers(s.Step(150, pool, NetOps.AttendPages, 0.1));

        // Another sequence shares page 5, and a copy of page 9 up to token 99.
        pool.Keys.Slice(0, 30, 31).Copy_(pool.Keys.Slice(0, 9, 10));
        pool.Values.Slice(0, 30, 31).Copy_(pool.Values.Slice(0, 9, 10));
        (s.Table, s.Past) = ([5, 30, 40], 99);
        Assert.Equal(whole[(99 * 6 * 64)..], Numbers(s.Step(51, pool, NetOps.AttendPages, 0.1)));
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    internal void The_way_of_cards_gives_the_formula(DType dtype)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        var pool = new Pool(CreateOps.Zeros([Pages, NetOps.PageTokens, 2, 64], dtype), CreateOps.Zeros([Pages, NetOps.PageTokens, 2, 64], dtype));
        var sequences = Draw(dtype, 2, 3, 64);
        Tensor Attend(Tensor q, Tensor k, Tensor v, Tensor keys, Tensor values, Tensor tables, Tensor offsets, Tensor past, double scale) =>
            Plain.Call(q, k, v, keys, values, tables, offsets, past, scale);

        Answer(sequences, pool, Attend, 0.1, new Random(5));
        Assert.All(sequences, s => Near(s.Formula(0.1), [.. s.Got], dtype));
    }

    [Fact]
    public void What_does_not_fit_is_refused_by_name()
    {
        using var scope = TensorScope.Open("test");
        var pool = new Pool(DType.F32, 2, 16);
        var s = Draw(DType.F32, 2, 3, 16)[2];
        s.Table = [3, 4];
        string Refusal(Action<Sequence> change, Func<Sequence, Tensor>? call = null)
        {
            var changed = s.Clone();
            change(changed);
            return Assert.Throws<TorchException>(() => call is null ? changed.Step(65, pool, NetOps.AttendPages, 1) : call(changed)).Message;
        }

        Assert.Contains("needs 2 pages", Refusal(x => x.Table = [3]));
        Assert.Contains("is none of 48", Refusal(x => x.Table = [3, 48]));
        Assert.Contains("is none of 48", Refusal(x => x.Table = [-1, 4]));
        Assert.Contains("behind -1", Refusal(x => x.Past = -1, x => NetOps.AttendPages(
            x.Q, x.K, x.V, pool.Keys, pool.Values, Ints([3, 4], 1, 2), Ints([0, 65], 2), Ints([-1], 1), 1)));
        Assert.Contains("from 0 to 65", Refusal(_ => { }, x => NetOps.AttendPages(
            x.Q, x.K, x.V, pool.Keys, pool.Values, Ints([3, 4], 1, 2), Ints([0, 64], 2), Ints([0], 1), 1)));
        Assert.Contains("are not those of", Refusal(_ => { }, x => NetOps.AttendPages(
            x.Q.To(DType.BF16), x.K.To(DType.BF16), x.V.To(DType.BF16), pool.Keys, pool.Values, Ints([3, 4], 1, 2), Ints([0, 65], 2), Ints([0], 1), 1)));
        Assert.Contains("must be alike", Refusal(_ => { }, x => NetOps.AttendPages(
            x.Q, x.K, x.V, pool.Keys, pool.Values.Slice(0, 0, 3), Ints([3, 4], 1, 2), Ints([0, 65], 2), Ints([0], 1), 1)));
        Assert.Contains("on the host", Refusal(_ => { }, x => NetOps.AttendPages(
            x.Q, x.K, x.V, pool.Keys, pool.Values, Ints([3, 4], 1, 2).To(DType.I64), Ints([0, 65], 2), Ints([0], 1), 1)));
    }

    /// <summary>All sequences to their ends, in passes of some of them and of any number of tokens.</summary>
    private static void Answer(Sequence[] sequences, Pool pool, Attend attend, double scale, Random random)
    {
        var pages = Enumerable.Range(0, Pages).ToArray();
        random.Shuffle(pages);
        var used = 0;
        foreach (var s in sequences)
        {
            (s.Past, s.Table) = (0, pages[used..(used += (s.Length + NetOps.PageTokens - 1) / NetOps.PageTokens)]);
            s.Got.Clear();
        }

        while (sequences.Any(s => s.Past < s.Length))
        {
            var chosen = sequences.Where(s => s.Past < s.Length && random.Next(4) > 0).ToArray();
            if (chosen.Length > 0)
            {
                var counts = Array.ConvertAll(chosen, s => random.Next(3) == 0 ? 1 : Math.Min(s.Length - s.Past, random.Next(1, 200)));
                Pass(chosen, counts, pool, attend, scale);
            }
        }
    }

    private static Tensor Pass(Sequence[] sequences, int[] counts, Pool pool, Attend attend, double scale)
    {
        var most = sequences.Max(s => s.Table.Length);
        var tables = new int[sequences.Length * most];
        var offsets = new int[sequences.Length + 1];
        for (var i = 0; i < sequences.Length; i++)
        {
            Array.Fill(tables, -1, i * most, most);
            sequences[i].Table.CopyTo(tables, i * most);
            offsets[i + 1] = offsets[i] + counts[i];
        }

        Tensor Together(Func<Sequence, Tensor> which) => ShapeOps.Cat([.. sequences.Select((s, i) => which(s).Slice(0, s.Past, s.Past + counts[i]))]);
        var y = attend(
            Together(s => s.Q), Together(s => s.K), Together(s => s.V), pool.Keys, pool.Values, Ints(tables, sequences.Length, most),
            Ints(offsets, offsets.Length), Ints(Array.ConvertAll(sequences, s => s.Past), sequences.Length), scale);
        for (var i = 0; i < sequences.Length; i++)
        {
            sequences[i].Got.AddRange(Numbers(y.Slice(0, offsets[i], offsets[i + 1])));
            sequences[i].Past += counts[i];
        }

        return y;
    }

    private static Sequence[] Draw(DType dtype, int groups, int ratio, int size)
    {
        Torch.Seed(7);
        Tensor Numbers(int length, int heads) => CreateOps.Empty([length, heads, size]).Normal_(0, 1).To(dtype);
        return Array.ConvertAll(Lengths, length => new Sequence(Numbers(length, groups * ratio), Numbers(length, groups), Numbers(length, groups)));
    }

    private static Tensor Ints(int[] values, params long[] shape) => CreateOps.From(values, shape);

    private static float[] Numbers(Tensor x) => x.To(DType.F32).ToArray<float>();

    private static void Near(double[] expected, float[] actual, DType dtype)
    {
        // Factors and results are rounded to the element type; values are of size 1.
        var allowed = dtype switch { DType.BF16 => 3e-2, DType.F16 => 2e-3, _ => 1e-5 };
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - actual[i]) <= allowed, $"{dtype}, element {i}: expected {expected[i]:R}, got {actual[i]:R}");
        }
    }

    private sealed class Pool(Tensor keys, Tensor values)
    {
        public Pool(DType dtype, int groups, int size)
            : this(NetOps.NewPages(dtype, Device.Cpu, groups, size, Pages), NetOps.NewPages(dtype, Device.Cpu, groups, size, Pages))
        {
        }

        public Tensor Keys => keys;

        public Tensor Values => values;

        /// <summary>What an earlier owner of the pages left in them.</summary>
        public void Spoil(int round)
        {
            Torch.Seed((ulong)round);
            _ = keys.Normal_(0, 1);
            _ = values.Normal_(0, 1);
        }
    }

    private sealed class Sequence(Tensor q, Tensor k, Tensor v)
    {
        public Tensor Q => q;

        public Tensor K => k;

        public Tensor V => v;

        public int Length { get; } = (int)q.Size(0);

        public int[] Table { get; set; } = [];

        public int Past { get; set; }

        public float[] Expected { get; set; } = [];

        public List<float> Got { get; } = [];

        public Sequence Clone() => new(q, k, v) { Table = Table, Past = Past };

        public Tensor Step(int count, Pool pool, Attend attend, double scale) => Pass([this], [count], pool, attend, scale);

        public double[] Formula(double scale)
        {
            var (wide, heads) = (q.To(DType.F64).Transpose(0, 1), q.Size(1));
            Tensor Repeated(Tensor x) =>
                x.To(DType.F64).Unsqueeze(2).Expand(Length, x.Size(1), heads / x.Size(1), x.Size(2)).Reshape(Length, heads, -1).Transpose(0, 1);

            var unseen = new bool[Length * Length];
            for (var row = 0; row < Length; row++)
            {
                unseen.AsSpan((row * Length) + row + 1, Length - row - 1).Fill(true);
            }

            var scores = wide.MatMul(Repeated(k).Transpose(1, 2)).Mul(scale).MaskedFill(CreateOps.From(unseen, Length, Length), double.NegativeInfinity);
            return scores.Softmax(-1).MatMul(Repeated(v)).Transpose(0, 1).Reshape(Length, -1).ToArray<double>();
        }
    }
}
