using System.Text.Json;
using Fovea.Generation.Sampling;

namespace Fovea.Tests.Unit.Generation;

/// <summary>Settings act as Transformers' own processors do, in their order.</summary>
public sealed class ChooserGoldenTests
{
    private static readonly JsonElement[] Cases =
        [.. JsonDocument.Parse(File.ReadAllText(TestFiles.Golden("sampling/sampling.json"))).RootElement.EnumerateArray()];

    public static TheoryData<int> Numbers => [.. Enumerable.Range(0, Cases.Length)];

    [Theory]
    [MemberData(nameof(Numbers))]
    public void Logits_probabilities_and_choices_are_those_of_the_reference(int number)
    {
        var golden = Cases[number];
        var settings = golden.GetProperty("settings");
        double Value(string key, double otherwise) => settings.TryGetProperty(key, out var value) ? value.GetDouble() : otherwise;
        var options = new GenerationOptions
        {
            Temperature = Value("temperature", 1), TopK = (int)Value("top_k", 0), TopP = Value("top_p", 1), MinP = Value("min_p", 0),
            RepetitionPenalty = Value("repetition_penalty", 1), NoRepeatNgramSize = (int)Value("no_repeat_ngram_size", 0),
            MinNewTokens = (int)Value("min_new_tokens", 0), PresencePenalty = Value("presence_penalty", 0), FrequencyPenalty = Value("frequency_penalty", 0),
            StopIds = [3, 17], Logprobs = true, TopLogprobs = 20,
        };
        options.Check();
        var chooser = new TokenChooser(options, [.. golden.GetProperty("prompt").EnumerateArray().Select(id => id.GetInt32())]);
        foreach (var id in golden.GetProperty("output").EnumerateArray())
        {
            chooser.Accept(id.GetInt32());
        }

        var logits = Floats(golden, "logits");
        var raw = Floats(golden, "logprobs");
        var chosen = chooser.Choose(logits);
        Assert.Equal(Floats(golden, "before_temperature"), logits, (expected, actual) => expected == actual || Math.Abs(expected - actual) < 2e-6f);
        Assert.Equal(Array.IndexOf(logits, logits.Max()), chosen);
        Assert.Equal(raw[chosen], chooser.Logprob!.Logprob, 1e-6);
        Assert.All(chooser.Logprob.Top, top => Assert.Equal(raw[top.Id], top.Logprob, 1e-6));
        Assert.Equal(raw.OrderDescending().Take(20), chooser.Logprob.Top.Select(top => (float)top.Logprob), (a, b) => Math.Abs(a - b) < 1e-5);

        // Every drawn number leads to the token at which the reference's probabilities, most likely first, pass it.
        var probabilities = golden.GetProperty("probabilities").EnumerateArray().Select(p => p.GetDouble()).ToArray();
        var order = Enumerable.Range(0, probabilities.Length).OrderByDescending(id => logits[id]).ThenBy(id => id).Where(id => probabilities[id] > 0).ToArray();
        var borders = new double[order.Length + 1];
        for (var i = 0; i < order.Length; i++)
        {
            borders[i + 1] = borders[i] + probabilities[order[i]];
        }

        for (var i = 0; i < order.Length; i++)
        {
            foreach (var share in new[] { 1e-3, 0.5, 1 - 1e-3 })
            {
                Assert.Equal(order[i], TokenDraw.Draw(logits, logits.Max(), options, borders[i] + (share * (borders[i + 1] - borders[i]))));
            }
        }
    }

    private static float[] Floats(JsonElement golden, string key) =>
        [.. golden.GetProperty(key).EnumerateArray().Select(v => v.ValueKind == JsonValueKind.Null ? float.NegativeInfinity : (float)v.GetDouble())];
}
