using Fovea.Generation.Engine;
using Fovea.Tests.Parity;

namespace Fovea.Tests.Unit.Generation;

/// <summary>Where every layer keeps keys and values.</summary>
public sealed class EngineTests() : EngineTestsBase("qwen2_5_vl_tiny")
{
    [Fact]
    public void Prompts_wait_for_room_and_the_bound_holds()
    {
        var prompts = Enumerable.Range(0, 10).Select(i => PromptOf(new Random(40 + i), 70, images: 0)).ToList();
        using var large = new GenerationEngine(Model);
        var expected = EngineAnswers.Together(large, prompts, Greedy(30));
        using var engine = new GenerationEngine(Model, new EngineOptions { CacheBytes = 5 * large.PageBytes });
        Assert.Equal(5, engine.MostPages);
        var most = 0;
        var results = EngineAnswers.Together(engine, prompts, Greedy(30), () => most = Math.Max(most, engine.PagesUsed));
        Assert.InRange(most, 4, 5);
        expected.AssertSame(results, "in little room");

        var error = Assert.Throws<ConfigException>(() => engine.Submit(new EngineRequest { Prompt = PromptOf(new Random(1), 300, 0), Options = Greedy(300) }));
        Assert.Contains("300 tokens", error.Message);
        Assert.Contains("max_new_tokens", error.Message);
    }
}
