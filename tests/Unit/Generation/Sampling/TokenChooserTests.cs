using Fovea.Generation.Sampling;

namespace Fovea.Tests.Unit.Generation;

/// <summary>How the next token is chosen from logits.</summary>
public sealed class TokenChooserTests
{
    private static readonly GenerationOptions Greedy = new();
    private static readonly GenerationOptions Sampling = new() { DoSample = true, Seed = 1, TopK = 0 };

    [Fact]
    public void Greedy_takes_the_largest_and_the_first_of_equals() => Assert.Equal(1, new TokenChooser(Greedy, []).Choose([0f, 3f, 3f, -1f]));

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
        var chooser = new TokenChooser(Greedy, []);
        Assert.Equal(place, chooser.Choose(logits));
        logits[1500] = 7f;
        logits[1501] = 7f;
        Assert.Equal(1500, chooser.Choose(logits));
        logits[place] = float.NaN;
        Assert.Throws<TorchException>(() => chooser.Choose(logits));
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
    public void Top_k_top_p_and_min_p_leave_only_the_most_likely()
    {
        float[] logits = [MathF.Log(0.1f), MathF.Log(0.4f), MathF.Log(0.2f), MathF.Log(0.3f)];
        Assert.Equal([0, 4 / 7.0, 0, 3 / 7.0], Frequencies(Sampling with { TopK = 2 }, logits), Near);

        // 0.4 + 0.3 reach 0.65, so the third is out; 0.4 alone reaches 0.35.
        Assert.Equal([0, 4 / 7.0, 0, 3 / 7.0], Frequencies(Sampling with { TopP = 0.65 }, logits), Near);
        Assert.Equal([0, 1, 0, 0], Frequencies(Sampling with { TopP = 0.35 }, logits), Near);
        Assert.Equal([0, 4 / 9.0, 2 / 9.0, 3 / 9.0], Frequencies(Sampling with { TopP = 0.75 }, logits), Near);

        // Of the largest 0.4, a share of 0.6 is 0.24.
        Assert.Equal([0, 4 / 7.0, 0, 3 / 7.0], Frequencies(Sampling with { MinP = 0.6 }, logits), Near);
        Assert.Equal([0, 1, 0, 0], Frequencies(Sampling with { MinP = 1 }, logits), Near);
    }

    [Fact]
    public void Tokens_as_likely_as_the_last_of_the_top_k_are_among_them() =>
        Assert.Equal([0, 1 / 3.0, 1 / 3.0, 1 / 3.0], Frequencies(Sampling with { TopK = 2 }, [0f, 2f, 2f, 2f]), Near);

    [Fact]
    public void Penalties_act_on_what_they_are_defined_for()
    {
        // Repetition: prompt and answer; presence and frequency: the answer alone.
        float[] logits = [4f, 3f, -1f, 0.5f];
        Assert.Equal(1, new TokenChooser(Greedy with { RepetitionPenalty = 2 }, [0, 2, 2]).Choose(logits));
        Assert.Equal([2f, 3f, -2f, 0.5f], logits);

        logits = [4f, 3f, -1f, 0.5f];
        var chooser = new TokenChooser(Greedy with { PresencePenalty = 1, FrequencyPenalty = 0.5 }, [1, 1, 1]);
        chooser.Accept(0);
        chooser.Accept(0);
        chooser.Accept(3);
        Assert.Equal(1, chooser.Choose(logits));
        Assert.Equal([2f, 3f, -1f, -1f], logits);
    }

    [Fact]
    public void No_ngram_comes_twice_and_prompt_and_answer_count_together()
    {
        var chooser = new TokenChooser(Greedy with { NoRepeatNgramSize = 3 }, [5, 1, 2, 3, 1, 2, 4, 1]);
        chooser.Accept(2);
        float[] logits = [0, 1, 2, 9, 8, 7];
        Assert.Equal(5, chooser.Choose(logits)); // 1 2 was followed by 3 and by 4
        Assert.Equal([float.NegativeInfinity, float.NegativeInfinity], logits[3..5]);

        var random = new Random(3);
        var made = new List<int>();
        chooser = new TokenChooser(Greedy with { NoRepeatNgramSize = 2 }, []);
        for (var i = 0; i < 300; i++)
        {
            made.Add(chooser.Choose([.. Enumerable.Range(0, 20).Select(id => (float)(random.NextDouble() + (id == 7 ? 1 : 0)))]));
            chooser.Accept(made[^1]);
        }

        Assert.Equal(299, made.Zip(made.Skip(1)).Distinct().Count());
    }

    [Fact]
    public void Stop_tokens_wait_for_the_least_length()
    {
        var chooser = new TokenChooser(Greedy with { MinNewTokens = 2, StopIds = [2, 900] }, [2]);
        for (var i = 0; i < 3; i++)
        {
            var id = chooser.Choose([0f, 1f, 5f]);
            Assert.Equal(i < 2 ? 1 : 2, id);
            chooser.Accept(id);
        }
    }

    [Fact]
    public void Log_probabilities_are_those_of_the_models_own_logits()
    {
        float[] logits = [1f, 4f, 3.5f, -2f, 3.5f];
        var sum = logits.Sum(v => Math.Exp(v));
        var chooser = new TokenChooser(Greedy with { Logprobs = true, TopLogprobs = 3, RepetitionPenalty = 5 }, [1]);
        var id = chooser.Choose(logits.ToArray());
        Assert.Equal(2, id);
        var logprob = chooser.Logprob!;
        Assert.Equal((2, 3.5 - Math.Log(sum)), (logprob.Id, Math.Round(logprob.Logprob, 12)), (a, b) => a.Item1 == b.Item1 && Math.Abs(a.Item2 - b.Item2) < 1e-7);
        Assert.Equal([1, 2, 4], logprob.Top.Select(top => top.Id));
        Assert.All(logprob.Top, top => Assert.Equal(logits[top.Id] - Math.Log(sum), top.Logprob, 1e-7));
        Assert.Null(new TokenChooser(Greedy, []) is var plain && plain.Choose(logits) == 1 ? plain.Logprob : logprob);
    }

    [Fact]
    public void A_seed_gives_the_same_tokens_and_every_sample_a_stream_of_its_own()
    {
        int[] Sample(ulong seed, int sample)
        {
            var chooser = new TokenChooser(Sampling with { Seed = seed }, [], sample: sample);
            return [.. Enumerable.Range(0, 40).Select(_ => chooser.Choose(new float[50]))];
        }

        Assert.Equal(Sample(7, 0), Sample(7, 0));
        Assert.Equal(6, new[] { Sample(7, 0), Sample(7, 1), Sample(7, 2), Sample(8, 0), Sample(8, 1), Sample(6, 0) }.Select(s => string.Join(' ', s)).Distinct().Count());
    }

    [Fact]
    public void What_cannot_be_chosen_from_is_an_error_that_says_why()
    {
        Assert.Throws<TorchException>(() => new TokenChooser(Greedy, []).Choose([1f, float.NaN, 2f]));
        Assert.Throws<TorchException>(() => new TokenChooser(Greedy, []).Choose([1f, float.PositiveInfinity, 2f]));
        Assert.Throws<TorchException>(() => new TokenChooser(Sampling, []).Choose([float.NegativeInfinity, float.NegativeInfinity]));
        var e = Assert.Throws<ConfigException>(() => new TokenChooser(Sampling with { NoRepeatNgramSize = 1, MinNewTokens = 1, StopIds = [2] }, [0, 1]).Choose(new float[3]));
        Assert.Contains("no_repeat_ngram_size 1 and min_new_tokens 1", e.Message);
    }

    /// <summary>However flat or steep, a token is where the probabilities in descending order, added up, pass the drawn number.</summary>
    [Theory]
    [InlineData(0.0)]
    [InlineData(0.02)]
    [InlineData(1.0)]
    [InlineData(6.0)]
    public void Large_vocabularies_are_drawn_from_as_if_they_were_sorted(double spread)
    {
        const int vocabulary = 30_000;
        var random = new Random(11);
        var logits = new float[vocabulary];
        for (var i = 0; i < vocabulary; i++)
        {
            logits[i] = (float)Math.Round(spread * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(6.28 * random.NextDouble()), 2);
        }

        logits[17] = float.NegativeInfinity;
        foreach (var (k, p, least) in new[] { (0, 1.0, 0.0), (0, 0.9, 0.0), (0, 1.0, 0.3), (5000, 0.7, 0.0), (40, 1.0, 0.0), (0, 0.5, 0.05), (20_000, 1.0, 0.01) })
        {
            var options = Sampling with { TopK = k, TopP = p, MinP = least, Temperature = 1.3 };
            var expected = new Sorted(logits, options);
            for (var i = 0; i < 60; i++)
            {
                var uniform = random.NextDouble();
                var id = TokenDraw.Draw(logits, logits.Max(), options, uniform);
                Assert.True(expected.Fits(id, uniform), $"top k {k}, top p {p}, min p {least}: {id} at {uniform}");
            }
        }
    }

    private static bool Near(double expected, double actual) => Math.Abs(expected - actual) < 0.015;

    private static double[] Frequencies(GenerationOptions options, float[] logits)
    {
        const int draws = 20_000;
        var chooser = new TokenChooser(options, []);
        var counts = new double[logits.Length];
        for (var i = 0; i < draws; i++)
        {
            counts[chooser.Choose(logits.ToArray())] += 1.0 / draws;
        }

        return counts;
    }

    /// <summary>The plain way: everything sorted.</summary>
    private sealed class Sorted
    {
        private readonly Dictionary<int, (double From, double To)> places = [];

        public Sorted(float[] logits, GenerationOptions options)
        {
            var order = Enumerable.Range(0, logits.Length).Where(id => float.IsFinite(logits[id])).OrderByDescending(id => logits[id]).ThenBy(id => id).ToArray();
            var weights = order.Select(id => Math.Exp((logits[id] - logits[order[0]]) / options.Temperature)).ToArray();
            var kept = order.Length;
            if (options.TopK > 0)
            {
                kept = Enumerable.Range(0, order.Length).Count(i => logits[order[i]] >= logits[order[Math.Min(options.TopK, order.Length) - 1]]);
            }

            var (total, mass, i) = (weights.Take(kept).Sum(), 0.0, 0);
            while (options.TopP < 1 && i < kept && (i == 0 || mass < options.TopP * total))
            {
                mass += weights[i++];
            }

            kept = options.TopP < 1 ? i : kept;
            kept = Math.Max(1, weights.Take(kept).Count(weight => weight >= options.MinP));
            total = weights.Take(kept).Sum();
            for (var (place, sum) = (0, 0.0); place < kept; sum += weights[place++])
            {
                places[order[place]] = (sum / total, (sum + weights[place]) / total);
            }
        }

        public bool Fits(int id, double uniform) => places.TryGetValue(id, out var place) && uniform > place.From - 1e-4 && uniform < place.To + 1e-4;
    }
}
