using System.Text.Json;
using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Models;
using Fovea.Models.Qwen25Vl;

namespace Fovea.Tests.Parity.Qwen25Vl;

/// <summary>What changes the choice of tokens and the end of an answer, with a whole model.</summary>
public sealed class SamplingTests : NativeTest
{
    private static readonly string Folder = TestFiles.Golden("qwen2_5_vl_tiny/model");

    private readonly ModelProcessor processor = Qwen25VlProcessor.Load(ModelSource.Open(Folder));
    private readonly GenerationOptions greedy;
    private readonly VisionLanguageModel model;

    public SamplingTests()
    {
        greedy = GenerationFile.Read(Folder, processor.Tokenizer, processor.Template.StopWords) with { MaxNewTokens = 30 };
        model = ModelSource.Open(Folder).Load(new ModelOptions());
    }

    /// <summary>The reference's batches pad prompts, which its penalties see: of these questions only the end token becomes less likely by it.</summary>
    [Theory]
    [InlineData("repetition penalty 1.3", 0, 5)]
    [InlineData("no repeated pair", 4, 22)]
    [InlineData("min 10", 0, 10, 19)]
    public void Greedy_tokens_under_penalties_equal_the_references(string tag, params int[] rows)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(
            TestFiles.Shared("golden/generation/greedy.json") ?? TestFiles.SkipMissing("golden/generation/greedy.json")));
        var batch = json.RootElement.GetProperty("batches").EnumerateArray().Single(b => b.GetProperty("tag").GetString() == tag);
        var settings = batch.GetProperty("options");
        var options = new GenerationOptions
        {
            MaxNewTokens = settings.GetProperty("max_new_tokens").GetInt32(),
            RepetitionPenalty = settings.TryGetProperty("repetition_penalty", out var penalty) ? penalty.GetDouble() : 1,
            NoRepeatNgramSize = settings.TryGetProperty("no_repeat_ngram_size", out var size) ? size.GetInt32() : 0,
            MinNewTokens = settings.TryGetProperty("min_new_tokens", out var least) ? least.GetInt32() : 0,
            StopIds = settings.TryGetProperty("eos_token_id", out var ends) ? Ids(ends) : Ids(json.RootElement.GetProperty("end_tokens")),
        };
        using var engine = new GenerationEngine(model);
        foreach (var index in rows)
        {
            var alone = json.RootElement.GetProperty("alone").EnumerateArray().Single(a => a.GetProperty("index").GetInt32() == index);
            var row = batch.GetProperty("rows").EnumerateArray().Single(r => r.GetProperty("index").GetInt32() == index);
            Assert.Equal(Ids(row.GetProperty("output_ids")), engine.Generate(new Prompt(Ids(alone.GetProperty("prompt_ids")), []), options).Ids);
        }
    }

    [Fact]
    public void Answers_end_before_stop_strings_and_have_the_form_that_is_asked_for()
    {
        var prompts = new PromptBuilder(processor.Tokenizer, processor.Template, processor.Images, rows: processor.TokenRows);
        using var engine = new GenerationEngine(model);
        var answerer = new Answerer(engine, processor.Tokenizer, prompts);
        ChatAnswer Ask(GenerationOptions options, Action<string>? onText = null) =>
            answerer.Answer(new Conversation([Message.User("What do you see?")]), options, onText, CancellationToken.None);

        var whole = Ask(greedy with { StopIds = [] });
        var middle = whole.Text[(whole.Text.Length / 2)..];
        var stop = middle[..Math.Min(3, middle.Length)];
        var given = string.Empty;
        var cut = Ask(greedy with { StopIds = [], StopStrings = [stop] }, piece => given += piece);
        Assert.Equal(whole.Text[..whole.Text.IndexOf(stop, StringComparison.Ordinal)], cut.Text);
        Assert.Equal((cut.Text, StopReason.Finished), (given, cut.Generation.Reason));

        const string schema = """
            {"type": "object", "properties": {"shape": {"enum": ["circle", "box"]}, "count": {"type": "integer", "minimum": 0, "maximum": 9}},
             "required": ["shape", "count"], "additionalProperties": false}
            """;
        foreach (var sample in new[] { false, true })
        {
            var answer = Ask(greedy with { DoSample = sample, Seed = 5, Constraint = Constraint.JsonSchema(schema), Logprobs = true, TopLogprobs = 2 });
            using var value = JsonDocument.Parse(answer.Text);
            Assert.InRange(value.RootElement.GetProperty("count").GetInt32(), 0, 9);
            Assert.Equal(StopReason.Finished, answer.Generation.Reason);
            Assert.Equal(answer.Generation.Ids, answer.Generation.Logprobs.Select(logprob => logprob.Id));
            Assert.All(answer.Generation.Logprobs, logprob => Assert.Equal(2, logprob.Top.Count));
        }

        Assert.Contains("lookaround", Assert.Throws<ConfigException>(() => Ask(greedy with { Constraint = Constraint.Regex("(?=a)") })).Message);
        Assert.Contains("count is 2", Assert.Throws<ConfigException>(() => Ask(greedy with { DoSample = true, Count = 2 })).Message);
    }

    protected override void Cleanup() => model.Dispose();

    private static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];
}
