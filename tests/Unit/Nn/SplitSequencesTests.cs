using Fovea.Models;
using Fovea.Nn;

namespace Fovea.Tests.Unit.Nn;

/// <summary>Tokens split over ranks: what attention, convolution and recurrence give is what they give of the whole, gradients included.</summary>
public sealed class SplitSequencesTests : NativeTest
{
    private const int Size = 8;

    [Fact]
    public void An_exchange_brings_parts_to_their_ranks_and_gradients_back()
    {
        var seen = ThreadExchange.Run(3, exchange =>
        {
            // Part p of rank r is 10 r + p.
            var x = CreateOps.From(Enumerable.Range(0, 6).Select(i => (10f * exchange.Rank) + (i / 2)).ToArray(), 3, 2);
            x.RequiresGrad = true;
            var y = exchange.Swap(x, "parts");
            Autograd.Backward(y, CreateOps.From(Enumerable.Range(0, 6).Select(i => (100f * exchange.Rank) + (i / 2)).ToArray(), 3, 2));
            return (Received: y.Detach().ToArray<float>(), Returned: x.Grad()!.ToArray<float>());
        });
        for (var rank = 0; rank < 3; rank++)
        {
            Assert.Equal(Enumerable.Range(0, 6).Select(i => (10f * (i / 2)) + rank), seen[rank].Received);
            Assert.Equal(Enumerable.Range(0, 6).Select(i => (100f * (i / 2)) + rank), seen[rank].Returned);
        }
    }

    [Fact]
    public void A_step_of_autograd_runs_backward_where_no_gradient_came_and_keeps_exceptions_as_they_are()
    {
        using var scope = TensorScope.Open("test");
        var x = CreateOps.From([1f, 2f]);
        x.RequiresGrad = true;
        var calls = 0;
        var y = Autograd.Step(x, x => x.Mul(3), gradient =>
        {
            calls++;
            return gradient.Mul(3);
        });
        Autograd.Backward(y.Mul(2).Sum());
        Assert.Equal((1, "6 6"), (calls, string.Join(' ', x.Grad()!.ToArray<float>())));

        Assert.False(Autograd.Step(x.Detach(), x => x.Mul(3), _ => throw new InvalidOperationException()).RequiresGrad);
        using (Autograd.NoGrad())
        {
            Assert.False(Autograd.Step(x, x => x.Mul(3), _ => throw new InvalidOperationException()).RequiresGrad);
        }

        var failing = Autograd.Step(x, x => x.Mul(3), _ => throw new ArithmeticException("as it was"));
        Assert.Equal("as it was", Assert.Throws<ArithmeticException>(() => Autograd.Backward(failing.Sum())).Message);
    }

    [Theory]
    [InlineData(8, 2, 2, 0, 12)]
    [InlineData(8, 2, 4, 0, 5, 12)]
    [InlineData(4, 4, 4, 0, 7)]
    [InlineData(6, 2, 3, 0, 1, 2, 9, 10)]
    [InlineData(12, 3, 4, 0, 3, 3, 13)]
    [InlineData(12, 6, 4, 0, 2)]
    [InlineData(2, 1, 2, 0, 63, 130)]
    public void Attention_over_split_tokens_is_that_over_all_of_them(int heads, int groups, int ranks, params int[] boundaries)
    {
        Same(
            ranks, boundaries, [(heads, Size), (groups, Size), (groups, Size)], [],
            (plan, inputs, _) => plan.Attend(0, inputs[0], inputs[1], inputs[2], 0.35));
    }

    [Theory]
    [InlineData(4, 2, 2, 0, 12)]
    [InlineData(4, 2, 4, 0, 5, 13)]
    [InlineData(6, 3, 2, 0, 9, 70)]
    [InlineData(4, 4, 4, 0, 3, 8)]
    public void The_gated_delta_rule_over_split_tokens_is_that_over_all_of_them(int heads, int keyHeads, int ranks, params int[] boundaries)
    {
        var shape = new GatedDeltaShape
        {
            Width = 1, KeyHeads = keyHeads, KeySize = Size, ValueHeads = heads, ValueSize = 5, ConvolutionLength = 4, NormEpsilon = 1e-6,
        };
        Same(
            ranks, boundaries, [(1, (int)shape.Columns), (1, heads), (1, heads)], [shape.Columns, shape.ConvolutionLength],
            (plan, inputs, weight) =>
            {
                var mixed = plan.Convolve(0, shape, inputs[0].Squeeze(1), weight!);
                return plan.Recur(0, shape, mixed, inputs[1].Squeeze(1).Abs().Neg(), inputs[2].Squeeze(1).Sigmoid()).Reshape(-1, heads * 5);
            });
    }

    [Fact]
    public void Heads_that_cannot_be_split_evenly_are_named()
    {
        Assert.Null(SplitSequences.Refusal(8, 4));
        Assert.Equal("6 heads cannot be split evenly over 4 ranks", SplitSequences.Refusal(6, 4));
    }

    [Fact]
    public void A_rank_has_consecutive_tokens_and_those_of_no_sample_stand_behind()
    {
        TokenShare[] shares = [new(10, 4, 0), new(10, 4, 1), new(10, 4, 3)];
        Assert.Equal((12, 3, 9, 12), (shares[2].All, shares[2].Length, shares[2].Start, shares[2].End));
        int[] all = [.. Enumerable.Range(0, 10)];
        Assert.Equal([[0, 1, 2], [3, 4, 5], [9, -1, -1]], shares.Select(share => share.Of<int>(all, -1)));
        Assert.Equal([(0, 1), (1, 2), (3, 1)], shares.Select(share => share.Range([1, 3, 5, 9])));
        Assert.Equal([0, 4, 10, 12], shares[0].Boundaries([0, 4, 10]));
        Assert.Equal([0, 4, 10], new TokenShare(10, 2, 0).Boundaries([0, 4, 10]));

        // More ranks than tokens: some have none of them.
        Assert.Equal([[7], [-1]], new[] { new TokenShare(1, 4, 0), new TokenShare(1, 4, 2) }.Select(share => share.Of<int>([7], -1)));
    }

    [Fact]
    public void A_group_of_tokens_keeps_its_length_where_ranks_have_parts_of_it()
    {
        var group = new TokenGroup(3, 9, 0.5);
        Assert.Equal((0, 2, 6, 0.5), Facts(group.Within(7, 12)));
        Assert.Equal((3, 4, 6, 0.5), Facts(group.Within(0, 4)));
        Assert.Equal((0, 0, 6, 0.5), Facts(group.Within(9, 12)));
        Assert.Equal((3, 3, 6, 0.5), Facts(group.Within(0, 3)));

        static (int, int, int, double) Facts(TokenGroup group) => (group.Start, group.End, group.Tokens, group.Weight);
    }

    /// <summary>Runs a plan over the whole and over the parts of ranks; results and gradients must agree.</summary>
    /// <param name="inputs">Heads and size of what every token has.</param>
    /// <param name="weight">Shape of a weight; empty for none.</param>
    private static void Same(
        int ranks, int[] boundaries, (int Heads, int Size)[] inputs, long[] weight, Func<ISequencePlan, Tensor[], Tensor?, Tensor> run)
    {
        var tokens = boundaries[^1];
        var all = inputs.Select((input, i) => Numbers(tokens * input.Heads * input.Size, i)).ToList();
        var kernel = weight.Length == 0 ? null : Numbers((int)(weight[0] * weight[1]), 99);
        var whole = Part(new TokenShare(tokens, 1, 0), new PackedAttention(new Segments(boundaries)));
        var parts = ThreadExchange.Run(ranks, exchange =>
        {
            var share = new TokenShare(tokens, ranks, exchange.Rank);
            return Part(share, new SplitSequences(new Segments(share.Boundaries(boundaries)), exchange));
        });
        Parity.Golden.Near("result", whole.Result, Joined(part => part.Result, whole.Result.Length), 2e-6);
        for (var i = 0; i < inputs.Length; i++)
        {
            Parity.Golden.Near($"gradient {i}", whole.Gradients[i], Joined(part => part.Gradients[i], whole.Gradients[i].Length), 2e-5);
        }

        if (kernel is not null)
        {
            Parity.Golden.Near("weight", whole.Weight!, [.. kernel.Select((_, i) => parts.Sum(part => part.Weight![i]))], 2e-5);
        }

        float[] Joined(Func<(float[] Result, float[][] Gradients, float[]? Weight), float[]> what, int length) => [.. parts.SelectMany(what).Take(length)];

        (float[] Result, float[][] Gradients, float[]? Weight) Part(TokenShare share, ISequencePlan plan)
        {
            using var scope = TensorScope.Open("part");
            var leaves = inputs.Select((input, i) => Leaf(Rows(all[i], input.Heads * input.Size), share.Length, input.Heads, input.Size)).ToArray();
            var own = kernel is null ? null : Leaf(kernel, weight);
            var result = run(plan, leaves, own);
            var columns = (int)result.Size(1);
            Autograd.Backward(result, CreateOps.From(Rows(Numbers(tokens * columns, 7), columns), share.Length, columns));
            return (result.Detach().ToArray<float>(), Array.ConvertAll(leaves, leaf => leaf.Grad()!.ToArray<float>()), own?.Grad()!.ToArray<float>());

            float[] Rows(float[] values, int width) =>
                [.. share.Of<float[]>([.. values.Chunk(width)], new float[width]).SelectMany(row => row)];
        }
    }

    private static Tensor Leaf(float[] values, params long[] shape)
    {
        var leaf = CreateOps.From(values, shape);
        leaf.RequiresGrad = true;
        return leaf;
    }

    private static float[] Numbers(int count, int seed) =>
        [.. Enumerable.Range(0, count).Select(i => MathF.Sin(((i + 1) * (0.7f + (0.13f * seed))) + (i % 7)))];
}
