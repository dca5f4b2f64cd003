using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Models;
using Fovea.Tests.Parity;
using Fovea.Tests.Unit.Configs;

namespace Fovea.Tests.Unit.Generation;

/// <summary>Where most layers keep a state.</summary>
public sealed class StateEngineTests() : EngineTestsBase("qwen3_5")
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void States_that_are_kept_make_room_for_those_under_way(int sequences)
    {
        var prompts = Enumerable.Range(0, 6).Select(i => PromptOf(new Random(40 + i), 70 + i, images: i % 2)).ToList();
        using var large = new GenerationEngine(Model);
        var expected = EngineAnswers.Together(large, prompts, Greedy(10));
        using var engine = new GenerationEngine(Model, new EngineOptions { MostSequences = sequences });
        Assert.Equal(2 * sequences, engine.MostStates);
        var most = 0;
        var results = EngineAnswers.Together(engine, prompts, Greedy(10), () => most = Math.Max(most, engine.StatesUsed));
        Assert.Equal(engine.MostStates, most);
        expected.AssertSame(results, "in little room");
    }

    [Fact]
    public void The_only_state_that_there_is_room_for_is_gone_on_from_itself()
    {
        using var folder = new ConfigFolder("qwen3_5/model");
        folder.Set("text_config.linear_num_value_heads", "16");
        using var model = ModelSource.Open(folder.Path).Build(new NamedSource(), new ModelOptions());
        using var large = new GenerationEngine(model);
        using var engine = new GenerationEngine(model, new EngineOptions { CacheBytes = 3 * large.StateBytes });
        Assert.Equal((1, 2), (engine.MostStates, engine.MostPages));
        var first = PromptOf(new Random(3), 30, images: 0);
        var answer = engine.Generate(first, Greedy(6) with { StopIds = [] });
        var more = Continued(Continued(first, answer.Ids), new Random(4), 10);
        var found = engine.Generate(more, Greedy(6) with { StopIds = [] });
        Assert.Equal(first.Ids.Length + answer.Ids.Count - 1, found.ReusedTokens);
        Assert.Equal(large.Generate(more, Greedy(6) with { StopIds = [] }).Ids, found.Ids);
        Assert.Equal(1, engine.StatesUsed);
    }

    [Fact]
    public void A_conversation_goes_on_from_the_state_behind_its_last_answer()
    {
        var first = PromptOf(new Random(3), 90, images: 1);
        using var engine = new GenerationEngine(Model);
        var answer = engine.Generate(first, Greedy(12) with { StopIds = [] });
        var more = Continued(Continued(first, answer.Ids), new Random(4), 20);
        var expected = Alone([more], Greedy(8));
        var found = EngineAnswers.Together(engine, [more], Greedy(8));
        expected.AssertSame(found, "behind the answer");

        // The last token of an answer is never computed.
        Assert.Equal(first.Ids.Length + answer.Ids.Count - 1, found.Reused(0));
    }

    [Fact]
    public void States_are_freed_with_the_answers_and_those_of_the_tree_with_the_conversation()
    {
        var prompts = Enumerable.Range(0, 5).Select(i => PromptOf(new Random(i), 100, images: 0)).ToList();
        using (var engine = new GenerationEngine(Model, new EngineOptions { SharesPrefixes = false }))
        {
            EngineAnswers.Together(engine, prompts, Greedy(4));
            Assert.Equal(0, engine.StatesUsed);
        }

        using var sharing = new GenerationEngine(Model);
        EngineAnswers.Together(sharing, prompts, Greedy(4));
        Assert.Equal(2 * prompts.Count, sharing.StatesUsed);
        sharing.Forget();
        Assert.Equal(0, sharing.StatesUsed);
    }

    private static Prompt Continued(Prompt start, IReadOnlyList<int> ids) => new([.. start.Ids, .. ids], start.Images);
}
