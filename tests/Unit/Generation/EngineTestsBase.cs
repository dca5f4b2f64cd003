using Fovea.Data.Images;
using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Models;
using Fovea.Tests.Parity;

namespace Fovea.Tests.Unit.Generation;

/// <summary>An engine answers many prompts at once as it answers each alone, whatever the order, the chunks, the room, and what is cancelled.</summary>
public abstract class EngineTestsBase : NativeTest
{
    private const int ImageToken = 1990;
    private readonly VisionLanguageModel model;

    private protected EngineTestsBase(string golden) => model = ModelSource.Open(TestFiles.Golden($"{golden}/model")).Load(new ModelOptions());

    private protected VisionLanguageModel Model => model;

    private protected static GenerationOptions Greedy(int tokens) => new() { DoSample = false, MaxNewTokens = tokens, StopIds = [1980, 1978] };

    [Fact]
    public void A_batch_gives_the_bits_of_each_prompt_alone()
    {
        var prompts = Enumerable.Range(0, 12).Select(i => PromptOf(new Random(i), 20 + (17 * i), images: i % 3)).ToList();
        using var engine = new GenerationEngine(model);
        Alone(prompts, Greedy(12)).AssertSame(EngineAnswers.Together(engine, prompts, Greedy(12)), "together");
        Assert.Equal(0, engine.PagesInUse);
        Assert.True(engine.Statistics.Passes < prompts.Count * 12 / 4, $"{engine.Statistics.Passes} passes");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(64)]
    [InlineData(100)]
    public void A_prompt_in_chunks_gives_the_bits_of_one_pass(int chunk)
    {
        var prompt = PromptOf(new Random(5), 230, images: 2);
        using var engine = new GenerationEngine(model, new EngineOptions { PassTokens = chunk });
        Alone([prompt], Greedy(6)).AssertSame(EngineAnswers.Together(engine, [prompt], Greedy(6)), $"chunks of {chunk}");
    }

    [Fact]
    public void What_was_found_in_the_cache_gives_the_bits_of_computing_it()
    {
        var random = new Random(3);
        var start = PromptOf(random, 150, images: 1);
        var prompts = Enumerable.Range(0, 6).Select(i => Continued(start, random, 1 + (13 * i))).ToList();
        using var engine = new GenerationEngine(model);
        EngineAnswers.Together(engine, [start], Greedy(20));
        var together = EngineAnswers.Together(engine, prompts, Greedy(8));
        Alone(prompts, Greedy(8)).AssertSame(together, "on the cache");

        // Where layers have states, from the last full page of the prompt on.
        var least = model.States is null ? 150 : 128;
        Assert.All(prompts.Index(), prompt => Assert.True(together.Reused(prompt.Index) >= least, $"{together.Reused(prompt.Index)}"));
    }

    [Fact]
    public void A_common_beginning_is_computed_once_and_an_image_is_seen_once()
    {
        var random = new Random(8);
        var start = PromptOf(random, 140, images: 1);
        var prompts = Enumerable.Range(0, 8).Select(_ => Continued(start, random, 10)).ToList();
        using var engine = new GenerationEngine(model);
        var results = EngineAnswers.Together(engine, prompts, Greedy(2));
        Assert.Equal(1, engine.Statistics.VisionPasses);
        Assert.Equal(0, results.Reused(0));
        Assert.All(prompts.Index().Skip(1), prompt => Assert.True(results.Reused(prompt.Index) >= 128));
    }

    [Fact]
    [Trait("Category", "Long")]
    public void Two_hundred_schedules_give_what_each_prompt_gives_alone()
    {
        var pool = Enumerable.Range(0, 24).Select(i => PromptOf(new Random(100 + (i / 3)), 10 + (i * 9 % 160), images: i % 3)).ToList();
        var known = Alone(pool, Greedy(40));
        for (var schedule = 0; schedule < 200; schedule++)
        {
            Schedule(new Random(schedule), pool, known, $"schedule {schedule}");
        }
    }

    [Fact]
    public void Some_schedules_give_what_each_prompt_gives_alone()
    {
        var pool = Enumerable.Range(0, 9).Select(i => PromptOf(new Random(100 + (i / 3)), 10 + (i * 19 % 160), images: i % 3)).ToList();
        var known = Alone(pool, Greedy(40));
        for (var schedule = 1000; schedule < 1012; schedule++)
        {
            Schedule(new Random(schedule), pool, known, $"schedule {schedule}");
        }
    }

    [Fact]
    public void Samples_of_one_prompt_differ_a_seed_gives_them_again_and_company_changes_nothing()
    {
        var sampling = Greedy(10) with { DoSample = true, Temperature = 1.5, TopK = 0, TopP = 0.95, Seed = 3, Count = 3 };
        var prompt = PromptOf(new Random(2), 90, images: 1);
        using var engine = new GenerationEngine(model);
        var alone = Samples(engine, sampling);
        Assert.Equal(3, alone.DistinctBy(ids => string.Join(' ', ids)).Count());
        engine.Reset();
        for (var i = 0; i < 4; i++)
        {
            engine.Submit(new EngineRequest { Prompt = PromptOf(new Random(60 + i), 30, images: 0), Options = Greedy(20) });
        }

        Assert.Equal(alone, Samples(engine, sampling));
        using var onDevice = new GenerationEngine(model, new EngineOptions { ChoosesOnDevice = true });
        Assert.Equal(alone, Samples(onDevice, sampling));

        IReadOnlyList<int>[] Samples(GenerationEngine by, GenerationOptions options)
        {
            var samples = new IReadOnlyList<int>[options.Count];
            by.Submit(new EngineRequest { Prompt = prompt, Options = options, OnEnd = (sample, result) => samples[sample] = result.Ids });
            by.Run();
            return samples;
        }
    }

    [Fact]
    public void Whoever_fails_fails_alone()
    {
        var prompts = Enumerable.Range(0, 3).Select(i => PromptOf(new Random(i), 40, images: 0)).ToList();
        using var engine = new GenerationEngine(model);
        var expected = EngineAnswers.Together(engine, prompts, Greedy(8));
        var (ended, failed) = (new Dictionary<int, IReadOnlyList<int>>(), new List<int>());
        for (var i = 0; i < 3; i++)
        {
            var number = i;
            engine.Submit(new EngineRequest
            {
                Prompt = prompts[i],
                Options = Greedy(8),
                OnToken = (_, _, _) => number != 1 ? true : throw new InvalidOperationException("the caller's own"),
                OnEnd = (_, result) => ended.Add(number, result.Ids),
                OnFail = (_, e) => failed.Add(number),
            });
        }

        engine.Run();
        Assert.Equal([1], failed);
        Assert.Equal([(0, expected.Ids(0)), (2, expected.Ids(2))], ended.OrderBy(pair => pair.Key).Select(pair => (pair.Key, pair.Value)));
        Assert.Equal(0, engine.PagesInUse);
    }

    protected override void Cleanup() => model.Dispose();

    // Prompts come and are cancelled at random, with random room, chunks and places.
    private void Schedule(Random random, List<Prompt> pool, EngineAnswers known, string what)
    {
        using var engine = new GenerationEngine(model, new EngineOptions
        {
            CacheBytes = Room(random.Next(5, 40)),
            MostSequences = random.Next(1, 9),
            PassTokens = random.Next(1, 200),
            VisionPatches = random.Next(1, 400),
            SharesPrefixes = random.Next(4) > 0,
        });
        var open = new List<(int Prompt, int Tokens, CancellationTokenSource Cancel, Answer Answer)>();
        var left = random.Next(4, 16);
        var watched = new Dictionary<EngineRequest, Answer>();
        engine.Watch = (request, logits) => watched[request].Logits.Add(logits);
        while (left > 0 || engine.HasWork)
        {
            while (left > 0 && (random.Next(3) == 0 || !engine.HasWork))
            {
                left--;
                var (prompt, tokens) = (random.Next(pool.Count), random.Next(1, 40));
                var (cancel, answer) = (new CancellationTokenSource(), new Answer());
                var request = new EngineRequest
                {
                    Prompt = pool[prompt], Options = Greedy(tokens), Cancel = cancel.Token, OnEnd = (_, result) => answer.Result = result,
                };
                watched.Add(request, answer);
                open.Add((prompt, tokens, cancel, answer));
                engine.Submit(request);
            }

            if (random.Next(12) == 0 && open.Count > 0)
            {
                open[random.Next(open.Count)].Cancel.Cancel();
            }

            engine.Step();
        }

        foreach (var (prompt, tokens, cancel, answer) in open)
        {
            var (expected, ids) = (known.Ids(prompt), answer.Result.Ids);
            Assert.Equal(expected.Take(ids.Count), ids);
            var whole = ids.Count == Math.Min(tokens, expected.Count);
            Assert.True(answer.Result.Reason == StopReason.Cancelled ? cancel.IsCancellationRequested : whole, what);
            for (var step = 0; step < ids.Count; step++)
            {
                Assert.True(known.Logits(prompt)[step].AsSpan().SequenceEqual(answer.Logits[step]), $"{what}, prompt {prompt}, step {step}");
            }

            cancel.Dispose();
        }

        Assert.Equal(0, engine.PagesInUse);
        Assert.InRange(engine.PagesUsed, 0, engine.MostPages);
    }

    /// <summary>Bytes of a cache with at least so many pages.</summary>
    private long Room(int pages)
    {
        using var engine = new GenerationEngine(model);
        return pages * engine.PageBytes * (model.States is null ? 1 : 2);
    }

    private protected EngineAnswers Alone(List<Prompt> prompts, GenerationOptions options) => EngineAnswers.Alone(model, prompts, options);

    private protected Prompt PromptOf(Random random, int tokens, int images)
    {
        var ids = Enumerable.Range(0, tokens).Select(_ => random.Next(3, 1900)).ToList();
        var placed = new List<PromptImage>();
        var at = random.Next(1, 5);
        for (var i = 0; i < images; i++)
        {
            var grid = new ImageGrid(1, 2 * random.Next(1, 5), 2 * random.Next(1, 5));
            var patches = new float[grid.Patches * model.PatchLength];
            for (var p = 0; p < patches.Length; p++)
            {
                patches[p] = (float)((random.NextDouble() * 4) - 2);
            }

            var count = grid.Patches / 4;
            ids.InsertRange(at, Enumerable.Repeat(ImageToken, count));
            placed.Add(new PromptImage(new ProcessedImage(grid, patches), at, count));
            at += count + random.Next(1, 8);
        }

        return new Prompt([.. ids], placed);
    }

    private protected static Prompt Continued(Prompt start, Random random, int tokens) =>
        new([.. start.Ids, .. Enumerable.Range(0, tokens).Select(_ => random.Next(3, 1900))], start.Images);

    private sealed class Answer
    {
        public GenerationResult Result { get; set; } = null!;

        public List<float[]> Logits { get; } = [];
    }
}
