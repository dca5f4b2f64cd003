using Fovea.Generation;

namespace Fovea.Tests.Unit.Generation;

/// <summary>How the next token is chosen from logits.</summary>
public sealed class SamplerTests
{
    private static readonly GenerationOptions Sampling = new() { DoSample = true, Seed = 1, TopK = 0 };

    [Fact]
    public void Greedy_takes_the_largest_and_the_first_of_equals()
    {
        var sampler = new Sampler(new GenerationOptions());
        Assert.Equal(1, sampler.Next([0f, 3f, 3f, -1f], []));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1023)]
    [InlineData(1024)]
    [InlineData(3001)]
    public void Greedy_finds_the_largest_of_a_large_vocabulary_and_every_NaN(int place)
    {
        var logits = new float[3002];
        Array.Fill(logits, -2f);
        logits[3001] = -1.5f;
        logits[place] = -1f;
        var sampler = new Sampler(new GenerationOptions());
        Assert.Equal(place, sampler.Next(logits, []));
        logits[1500] = 7f;
        logits[1501] = 7f;
        Assert.Equal(1500, sampler.Next(logits, []));
        logits[place] = float.NaN;
        Assert.Throws<TorchException>(() => sampler.Next(logits, []));
    }

    [Fact]
    public void Draws_follow_the_softmax_of_the_logits_over_the_temperature()
    {
        // Probabilities 0.5, 0.3, 0.2 at temperature 1; at 2 they go with the square roots.
        float[] logits = [MathF.Log(0.3f), MathF.Log(0.5f), MathF.Log(0.2f)];
        var plain = Frequencies(Sampling, logits);
        Assert.Equal([0.3, 0.5, 0.2], plain, Near);
        var roots = new[] { Math.Sqrt(0.3), Math.Sqrt(0.5), Math.Sqrt(0.2) };
        Assert.Equal(roots.Select(r => r / roots.Sum()), Frequencies(Sampling with { Temperature = 2 }, logits), Near);
    }

    [Fact]
    public void Top_k_and_top_p_leave_only_the_most_likely()
    {
        float[] logits = [MathF.Log(0.1f), MathF.Log(0.4f), MathF.Log(0.2f), MathF.Log(0.3f)];
        Assert.Equal([0, 4 / 7.0, 0, 3 / 7.0], Frequencies(Sampling with { TopK = 2 }, logits), Near);

        // 0.4 + 0.3 reach 0.65, so the third is out; 0.4 alone reaches 0.35.
        Assert.Equal([0, 4 / 7.0, 0, 3 / 7.0], Frequencies(Sampling with { TopP = 0.65 }, logits), Near);
        Assert.Equal([0, 1, 0, 0], Frequencies(Sampling with { TopP = 0.35 }, logits), Near);
        Assert.Equal([0, 4 / 9.0, 2 / 9.0, 3 / 9.0], Frequencies(Sampling with { TopP = 0.75 }, logits), Near);
    }

    [Fact]
    public void The_repetition_penalty_divides_positive_and_multiplies_negative_logits()
    {
        var sampler = new Sampler(new GenerationOptions { RepetitionPenalty = 2 });
        float[] logits = [4f, 3f, -1f, 0.5f];
        Assert.Equal(1, sampler.Next(logits, [0, 2]));
        Assert.Equal([2f, 3f, -2f, 0.5f], logits);
    }

    [Fact]
    public void Logits_that_are_not_finite_are_an_error()
    {
        Assert.Throws<TorchException>(() => new Sampler(new GenerationOptions()).Next([1f, float.NaN, 2f], []));
        Assert.Throws<TorchException>(() => new Sampler(Sampling).Next([float.NegativeInfinity, float.NegativeInfinity], []));
    }

    private static bool Near(double expected, double actual) => Math.Abs(expected - actual) < 0.015;

    private static double[] Frequencies(GenerationOptions options, float[] logits)
    {
        const int draws = 20_000;
        var sampler = new Sampler(options);
        var counts = new double[logits.Length];
        for (var i = 0; i < draws; i++)
        {
            counts[sampler.Next(logits.ToArray(), [])] += 1.0 / draws;
        }

        return counts;
    }
}
