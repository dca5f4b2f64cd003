using Fovea.Generation;
using Fovea.Generation.Engine;

namespace Fovea.Tests.Parity;

/// <summary>What an engine made of prompts that were all handed to it at once, with the logits that it chose from.</summary>
internal sealed class EngineAnswers
{
    private readonly List<(GenerationResult Result, List<float[]> Logits)> answers = [];

    private EngineAnswers()
    {
    }

    public int Count => answers.Count;

    public IReadOnlyList<int> Ids(int prompt) => answers[prompt].Result.Ids;

    public int Reused(int prompt) => answers[prompt].Result.ReusedTokens;

    public IReadOnlyList<float[]> Logits(int prompt) => answers[prompt].Logits;

    /// <param name="afterStep">Called after every pass.</param>
    public static EngineAnswers Together(
        GenerationEngine engine, IReadOnlyList<Prompt> prompts, GenerationOptions options, Action? afterStep = null) =>
        Together(engine, [.. prompts.Select(prompt => (prompt, options))], afterStep);

    /// <param name="afterStep">Called after every pass.</param>
    public static EngineAnswers Together(
        GenerationEngine engine, IReadOnlyList<(Prompt Prompt, GenerationOptions Options)> prompts, Action? afterStep = null)
    {
        var (results, seen) = (new GenerationResult[prompts.Count], new Dictionary<EngineRequest, List<float[]>>());
        engine.Watch = (request, logits) => seen[request].Add(logits);
        var requests = prompts.Select((prompt, i) => new EngineRequest
        {
            Prompt = prompt.Prompt, Options = prompt.Options, OnEnd = (_, result) => results[i] = result,
        }).ToList();
        foreach (var request in requests)
        {
            seen.Add(request, []);
            engine.Submit(request);
        }

        while (engine.Step())
        {
            afterStep?.Invoke();
        }

        engine.Watch = null;
        var made = new EngineAnswers();
        made.answers.AddRange(requests.Select((request, i) => (results[i], seen[request])));
        return made;
    }

    /// <summary>Every prompt with an engine that knows nothing else.</summary>
    public static EngineAnswers Alone(Models.VisionLanguageModel model, IReadOnlyList<Prompt> prompts, GenerationOptions options)
    {
        var made = new EngineAnswers();
        foreach (var prompt in prompts)
        {
            using var engine = new GenerationEngine(model, new EngineOptions { SharesPrefixes = false });
            made.answers.AddRange(Together(engine, [prompt], options).answers);
        }

        return made;
    }

    /// <summary>The answers to some of the prompts.</summary>
    public EngineAnswers Only(Func<int, bool> wanted)
    {
        var chosen = new EngineAnswers();
        chosen.answers.AddRange(answers.Where((_, i) => wanted(i)));
        return chosen;
    }

    /// <summary>Asserts that ids and logits are the same, bit for bit.</summary>
    public void AssertSame(EngineAnswers others, string what)
    {
        Assert.Equal(Count, others.Count);
        for (var i = 0; i < Count; i++)
        {
            var (mine, its) = (answers[i], others.answers[i]);
            var steps = Math.Min(mine.Logits.Count, its.Logits.Count);
            for (var step = 0; step < steps; step++)
            {
                Assert.True(
                    mine.Logits[step].AsSpan().SequenceEqual(its.Logits[step]),
                    $"{what}, prompt {i}, step {step}: {mine.Logits[step].Zip(its.Logits[step]).Max(pair => Math.Abs(pair.First - pair.Second))}");
            }

            Assert.Equal(mine.Result.Ids, its.Result.Ids);
            Assert.Equal(mine.Logits.Count, its.Logits.Count);
        }
    }
}
