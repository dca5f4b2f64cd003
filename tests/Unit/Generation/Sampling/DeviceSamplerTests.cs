using Fovea.Generation.Sampling;

namespace Fovea.Tests.Unit.Generation;

/// <summary>A batch chosen where its logits lie is chosen as each answer would choose for itself.</summary>
public sealed class DeviceSamplerTests : NativeTest
{
    private const int Vocabulary = 500;

    private static readonly GenerationOptions[] Options =
    [
        new() { Logprobs = true, TopLogprobs = 3 },
        new() { RepetitionPenalty = 1.4, NoRepeatNgramSize = 2, MinNewTokens = 5, StopIds = [3, 9], Logprobs = true },
        new() { DoSample = true, Seed = 4, TopK = 20, TopP = 0.8, MinP = 0.05, Temperature = 1.3 },
        new() { DoSample = true, Seed = 5, TopK = 0, PresencePenalty = 0.7, FrequencyPenalty = 0.4, Logprobs = true, TopLogprobs = 20 },
        new() { DoSample = true, Seed = 6, TopK = 0, TopP = 0.6, Temperature = 0.7, RepetitionPenalty = 1.1 },
        new() { DoSample = true, Seed = 7, TopK = 7 },
    ];

    [Fact]
    public void Ids_and_log_probabilities_are_those_of_the_choosers()
    {
        using var scope = TensorScope.Open("batch");
        var random = new Random(2);
        int[] prompt = [.. Enumerable.Range(0, 30).Select(_ => random.Next(40))];
        var alone = Options.Select(options => new TokenChooser(options, prompt)).ToArray();
        var together = Options.Select(options => new TokenChooser(options, prompt)).ToArray();
        for (var step = 0; step < 40; step++)
        {
            // In hundredths, so that some are equal.
            var logits = new float[Options.Length * Vocabulary];
            for (var i = 0; i < logits.Length; i++)
            {
                logits[i] = (float)Math.Round(4 * (random.NextDouble() + random.NextDouble() + random.NextDouble()), 2);
            }

            var (ids, logprobs, _) = DeviceSampler.Choose(CreateOps.From(logits, Options.Length, Vocabulary), together);
            for (var row = 0; row < Options.Length; row++)
            {
                Assert.Equal(alone[row].Choose(logits.AsSpan(row * Vocabulary, Vocabulary)), ids[row]);
                Assert.Equal(alone[row].Logprob is null, logprobs[row] is null);
                if (alone[row].Logprob is { } expected)
                {
                    Assert.Equal(expected.Logprob, logprobs[row]!.Logprob, 1e-6);
                    Assert.Equal(expected.Top.Select(top => top.Id), logprobs[row]!.Top.Select(top => top.Id));
                }

                alone[row].Accept(ids[row]);
                together[row].Accept(ids[row]);
            }
        }

        Assert.Throws<TorchException>(() => DeviceSampler.Choose(CreateOps.From(new[] { 1f, float.NaN }, 1, 2), together[..1]));
        var stuck = new TokenChooser(new() { NoRepeatNgramSize = 1 }, [0, 1]);
        Assert.Throws<ConfigException>(() => DeviceSampler.Choose(CreateOps.From(new[] { 1f, 2f }, 1, 2), [stuck]));
    }

    [Fact]
    public void Greedy_choices_that_rounding_may_have_decided_are_counted()
    {
        using var scope = TensorScope.Open("batch");
        GenerationOptions greedy = new(), sampled = new() { DoSample = true, Seed = 1 }, banned = new() { NoRepeatNgramSize = 1 };
        float[] near = [2, 2.0009f, 0], far = [2, 2.0011f, 0];
        int Count(params (float[] Logits, GenerationOptions Options, int[] Prompt)[] rows) => DeviceSampler.Choose(
            CreateOps.From(rows.SelectMany(row => row.Logits).ToArray(), rows.Length, 3),
            [.. rows.Select(row => new TokenChooser(row.Options, row.Prompt))]).NearTies;

        Assert.Equal(1, Count((near, greedy, [2])));
        Assert.Equal(0, Count((far, greedy, [2])));
        Assert.Equal(0, Count((near, sampled, [2])));
        Assert.Equal(0, Count((near, banned, [1]))); // the other one could not have been chosen
        Assert.Equal(2, Count((near, greedy, [2]), (far, greedy, [2]), (near, greedy, [0])));
    }
}
