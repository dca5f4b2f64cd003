using Fovea.Nn;

namespace Fovea.Tests.Unit.Nn;

/// <summary>Noise on embeddings follows the sample and its own length, never its neighbours.</summary>
public sealed class EmbeddingNoiseTests : NativeTest
{
    private const int Width = 64;
    private readonly EmbeddingNoise noise = new(5, 7);

    [Fact]
    public void Magnitudes_are_those_of_the_golden()
    {
        // Of 72 tokens (goldens/optim/neftune.json) and of 56, where Transformers computes it in fp32.
        Assert.Equal(0.036828480660915375, EmbeddingNoise.Magnitude(5, 72, 256), 1e-8);
        Assert.Equal(0.04175956919789314, EmbeddingNoise.Magnitude(5, 56, 256), 1e-8);
    }

    [Fact]
    public void Packing_changes_no_number()
    {
        var both = Draw(3, (11, 40), (4, 90));
        Assert.Equal(Draw(3, (11, 40)), both[..(40 * Width)]);
        Assert.Equal(Draw(3, (4, 90)), both[(40 * Width)..]);

        // The same sample twice in a row, as a repeated dataset may have it.
        Assert.Equal(Draw(3, (4, 90)), Draw(3, (4, 90), (4, 90))[(90 * Width)..]);
    }

    [Fact]
    public void Steps_samples_and_tokens_have_numbers_of_their_own()
    {
        var one = Draw(3, (11, 40));
        Assert.Equal(one, Draw(3, (11, 40)));
        Assert.NotEqual(one, Draw(4, (11, 40)));
        Assert.NotEqual(one, Draw(3, (12, 40)));
        Assert.Equal(one.Length, one.Distinct().Count(), 5.0);
    }

    [Fact]
    public void It_is_uniform_up_to_its_magnitude()
    {
        var values = Draw(0, (1, 400));
        var most = EmbeddingNoise.Magnitude(5, 400, Width);
        Assert.All(values, v => Assert.InRange(v, -most, most));
        Assert.Equal(0, values.Average() / most, 0.02);
        Assert.Equal(1 / 3.0, values.Select(v => (double)v * v).Average() / (most * most), 0.01);
        Assert.True(values.Max() > 0.99 * most && values.Min() < -0.99 * most);
    }

    private float[] Draw(long step, params (long Sample, int Tokens)[] rows)
    {
        using var scope = TensorScope.Open("test");
        long[] samples = [.. rows.SelectMany(row => Enumerable.Repeat(row.Sample, row.Tokens))];
        int[] tokens = [.. rows.SelectMany(row => Enumerable.Range(0, row.Tokens))];
        return noise.Draw(step, samples, tokens, Width).ToArray<float>();
    }
}
