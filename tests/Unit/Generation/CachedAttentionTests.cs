using Fovea.Generation;
using Fovea.Nn;

namespace Fovea.Tests.Unit.Generation;

/// <summary>Attention over a growing cache gives what attention over the whole sequence gives.</summary>
public sealed class CachedAttentionTests : NativeTest
{
    private const int Tokens = 300;
    private const int Heads = 6;
    private const int Groups = 2;
    private const int Size = 8;

    [Theory]
    [InlineData(DType.F32, 1e-5)]
    [InlineData(DType.BF16, 3e-2)]
    internal void Any_split_into_passes_equals_one_causal_pass(DType dtype, double tolerance)
    {
        Torch.Seed(1);
        using var scope = TensorScope.Open("test");
        var q = Numbers(Heads).To(dtype);
        var k = Numbers(Groups).To(dtype);
        var v = Numbers(Groups).To(dtype);
        var expected = Attention.Packed(q, k, v, new Segments([0, Tokens]), causal: true, 0.3).To(DType.F32).ToArray<float>();

        // Beyond the first capacity, single tokens, several blocks of one pass, and a first pass of one token.
        foreach (var passes in new int[][] { [10, 1, 1, 63, 64, 161], [1, 299], [130, 1, 169], [300] })
        {
            using var cache = new KeyValueCache(1);
            var parts = new List<Tensor>();
            foreach (var tokens in passes)
            {
                var (start, end) = (cache.Length, cache.Length + tokens);
                var pass = new CachedAttention(cache, tokens, Device.Cpu);
                parts.Add(pass.Attend(0, q.Slice(0, start, end), k.Slice(0, start, end), v.Slice(0, start, end), 0.3));
                pass.Complete();
            }

            Assert.Equal(Tokens, cache.Length);
            Assert.True(cache.Capacity >= Tokens);
            Parity.Golden.Near(string.Join('+', passes), expected, ShapeOps.Cat([.. parts]).To(DType.F32).ToArray<float>(), tolerance);
        }
    }

    [Fact]
    public void A_pass_that_was_not_completed_leaves_no_trace()
    {
        using var scope = TensorScope.Open("test");
        var (q, k) = (Numbers(Heads), Numbers(Groups));
        using var cache = new KeyValueCache(1);
        _ = new CachedAttention(cache, Tokens, Device.Cpu).Attend(0, q, k, k, 1);
        Assert.Equal(0, cache.Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Truncate(1));
        var cancelled = new CachedAttention(cache, Tokens, Device.Cpu, new CancellationToken(true));
        Assert.Throws<OperationCanceledException>(() => cancelled.Attend(0, q, k, k, 1));
    }

    [Theory]
    [InlineData(DType.F32, 1e-5)]
    [InlineData(DType.BF16, 2e-2)]
    internal void The_next_token_over_a_long_cache_equals_plain_attention(DType dtype, double tolerance)
    {
        Torch.Seed(2);
        using var scope = TensorScope.Open("test");
        const int length = 700;
        var q = CreateOps.Empty([1, 6, 24]).Normal_(0, 1).To(dtype);
        var keys = CreateOps.Empty([length + 9, 2, 24]).Normal_(0, 1).To(dtype);
        var values = CreateOps.Empty([length + 9, 2, 24]).Normal_(0, 1).To(dtype);
        // Keys and values of the new token are slices of a fused projection; scores far apart and large need the maximum taken out.
        var k = CreateOps.Empty([1, 2, 48]).Normal_(0, 30).To(dtype).Slice(2, 24, 48);
        var v = CreateOps.Empty([1, 4, 24]).Normal_(0, 1).To(dtype).Slice(1, 2, 4);
        foreach (var past in new[] { 0, 1, 255, 256, length - 1 })
        {
            var given = NetOps.AttendNext(q, k, v, keys, values, past, 0.7).To(DType.F32).ToArray<float>();
            Tensor Heads(Tensor x) => x.To(DType.F32).Slice(0, 0, past + 1).Unsqueeze(2).Expand(past + 1, 2, 3, 24).Reshape(past + 1, 6, 24).Transpose(0, 1);
            var scores = q.To(DType.F32).Transpose(0, 1).MatMul(Heads(keys).Transpose()).Mul(0.7);
            Parity.Golden.Near($"{past}", scores.Softmax(-1).MatMul(Heads(values)).ToArray<float>(), given, tolerance);
            Assert.Equal(k.To(DType.F32).ToArray<float>(), keys.Slice(0, past, past + 1).To(DType.F32).ToArray<float>());
            Assert.Equal(v.To(DType.F32).ToArray<float>(), values.Slice(0, past, past + 1).To(DType.F32).ToArray<float>());
        }
    }

    [Fact]
    public void The_next_token_must_fit_into_the_cache()
    {
        using var scope = TensorScope.Open("test");
        var (q, k, keys) = (CreateOps.Zeros([1, 4, 8]), CreateOps.Zeros([1, 2, 8]), CreateOps.Zeros([16, 2, 8]));
        Assert.Contains("token 16", Assert.Throws<TorchException>(() => NetOps.AttendNext(q, k, k, keys, keys, 16, 1)).Message);
        Assert.Throws<TorchException>(() => NetOps.AttendNext(q, k.To(DType.BF16), k, keys, keys, 0, 1));
    }

    private static Tensor Numbers(int heads) => CreateOps.Empty([Tokens, heads, Size]).Normal_(0, 1);
}
