using System.Text.Json;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Training.Objectives;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Data;

/// <summary>
/// What stretches of answers and whole rows weigh in the loss: as ms-swift divides answers (<c>goldens/loss_scale/make.py</c>), down to a batch.
/// </summary>
public sealed class LossScaleTests : IDisposable
{
    private const string End = "<|im_end|>\n";
    private static readonly JsonElement Golden = JsonDocument.Parse(File.ReadAllText(TestFiles.Golden("loss_scale/cases.json"))).RootElement;
    private static readonly Tokenizer Tokenizer = Tokenizer.Load(TestFiles.Golden("qwen2_5_vl_tiny/model"));
    private static readonly IMediaProcessor Images = new Qwen2VlMedia(Qwen2VlImageProcessor.Load(TestFiles.Golden("qwen2_5_vl_tiny/model")));
    private static readonly string[] BuiltIn = ["react", "alpha_umi", "qwen", "hermes", "ignore_think_prefix", "ignore_empty_think"];
    private readonly TempFolder folder = new();

    public static TheoryData<string> Maps => [.. Golden.GetProperty("maps").EnumerateObject().Select(map => map.Name)];

    public void Dispose() => folder.Dispose();

    [Theory, MemberData(nameof(Maps))]
    public void Answers_are_divided_as_ms_swift_divides_them(string map)
    {
        var file = folder.Write($"{map}.json", Golden.GetProperty("maps").GetProperty(map).GetRawText());
        var scales = BuiltIn.Contains(map) ? new[] { LossScaleRule.Read(map), LossScaleRule.Read(file) } : [LossScaleRule.Read(file)];
        var answers = Golden.GetProperty("answers").EnumerateArray().Select(answer => answer.GetString()!);
        foreach (var (answer, pieces) in answers.Zip(Golden.GetProperty("cases").GetProperty(map).EnumerateArray()))
        {
            var at = 0;
            var expected = LossScaleRule.Joined(pieces.EnumerateArray().Select(piece =>
            {
                var start = at;
                at += piece[0].GetInt32();
                return (answer[start..at], piece[1].GetSingle());
            }));
            Assert.All(scales, scale => Assert.Equal(expected, scale.Split(answer)));
        }
    }

    [Fact]
    public void Maps_are_applied_one_behind_the_other_and_their_weights_multiplied()
    {
        var file = folder.Write("own.json", """{"\\d+": [0.5]}""");
        var scale = LossScaleRule.Read($"last_round+hermes+{file}");
        Assert.Equal("last_round", scale.Strategy);
        Assert.Equal(
            [("See ", 1), ("7", 0.5f), (": ", 1), ("<tool_call>f(", 2), ("3", 1), (")</tool_call>", 2)], scale.Split("See 7: <tool_call>f(3)</tool_call>"));
        Assert.Equal(("default", false), (LossScaleRule.Read("default").Strategy, LossScaleRule.Read("default").HasMaps));
        Assert.Equal("default", LossScaleRule.Read("react").Strategy);
    }

    [Theory]
    [InlineData("""{"a": [1, 2, 3]}""", "own.json: 'a' must have a list of one weight")]
    [InlineData("""{"a": [-1]}""", "own.json: 'a' must have a list of one weight")]
    [InlineData("""{"a": 2}""", "own.json: 'a' must have a list of one weight")]
    [InlineData("""{"(": [2]}""", "own.json: '(' is no regular expression")]
    [InlineData("{}", "own.json names no expression")]
    [InlineData("[]", "own.json")]
    [InlineData("{", "own.json")]
    public void A_file_that_is_no_map_is_named(string text, string problem) =>
        Assert.Contains(problem, Assert.Throws<ConfigException>(() => LossScaleRule.Read(folder.Write("own.json", text))).Message);

    [Theory]
    [InlineData("recat", "loss_scale: 'recat' is not known; it must be default, last_round, all, one of react")]
    [InlineData("agentflan", "agentflan weighs answers by their questions")]
    [InlineData("all+nowhere/map.json", "loss_scale: nowhere/map.json is not there")]
    public void A_name_that_is_none_is_answered_with_those_that_are(string text, string problem) =>
        Assert.Contains(problem, Assert.Throws<ConfigException>(() => LossScaleRule.Read(text)).Message);

    [Fact]
    public void Stretches_of_an_answer_weigh_what_the_map_says_and_what_weighs_nothing_is_not_trained()
    {
        var sample = Encode("react", Text(("Q", "Thought: so\nAction: look\nObservation: 3")));
        Assert.Equal([("Thought: so\n", 1), ("Action: look\nObservation:", 2), (End, 1)], Trained(sample));
        Assert.Equal(sample.Ids.Length, sample.Weights.Length);

        // Where everything weighs 1, not a token is another.
        var plain = Encode(null, Text(("Q", "No word of it")));
        var same = Encode("react", Text(("Q", "No word of it")));
        Assert.Equal(plain.Ids, same.Ids);
        Assert.Equal(plain.Labels, same.Labels);
        Assert.Empty(same.Weights);
    }

    [Fact]
    public void Strategies_choose_what_is_trained()
    {
        var two = Text(("Q one", "A one"), ("Q two", "A two"));
        Assert.Equal(Encode(null, two).Labels, Encode("default", two).Labels);
        Assert.Equal([($"A two{End}", 1f)], Trained(Encode("last_round", two)));
        Assert.Equal(Encode(null, two, o => o with { TrainOnPrompt = true }).Labels, Encode("all", two).Labels);
        Assert.Contains(
            "loss_scale: all and mask_history: true exclude each other",
            Assert.Throws<ConfigException>(() => Encode("all", two, o => o with { MaskHistory = true })).Message);
    }

    [Fact]
    public void A_message_says_itself_whether_and_how_much_it_is_trained()
    {
        Conversation Two(bool? first = null, double? weight = null, bool? second = null) => new(
        [
            Message.User("Q one"), Message.Assistant("Action: one") with { Trained = first, Weight = weight },
            Message.User("Q two"), Message.Assistant("two") with { Trained = second },
        ]);
        Assert.Equal([($"two{End}", 1f)], Trained(Encode(null, Two(first: false))));
        Assert.Equal([("Action: one", 3), (End, 1), ($"two{End}", 1)], Trained(Encode("react", Two(weight: 3))));
        Assert.Equal([($"two{End}", 1f)], Trained(Encode("react", Two(weight: 0))));
        Assert.Equal([($"Action: one{End}", 1f)], Trained(Encode("last_round", Two(first: true, second: false))));
    }

    [Fact]
    public void Encoders_of_one_text_refuse_what_they_cannot_weigh()
    {
        var options = new DataOptions { Dataset = [] };
        LossScaleRule.Refuse(options with { LossScale = "default" });
        Assert.All(new[] { "react", "last_round", "all" }, text => Assert.Contains(
            $"loss_scale: {text} is not known to the data code of this model's family",
            Assert.Throws<ConfigException>(() => LossScaleRule.Refuse((options with { LossScale = text }).Scaled())).Message));
        AnswerWeights.Refuse(Text(("Q", "A")) with { Weight = 2 });
        var marked = new Conversation([Message.User("Q"), Message.Assistant("A") with { Trained = true }]);
        Assert.Contains("row", Assert.Throws<BadSampleException>(() => AnswerWeights.Refuse(marked)).Message);
    }

    [Fact]
    public void A_weight_that_is_none_is_refused_from_a_program_too() => Assert.All(
        new[] { 0, -1, double.NaN, double.PositiveInfinity }, weight => Assert.Contains(
            "no number above 0", Assert.Throws<BadSampleException>(() => Encode(null, Text(("Q", "A")) with { Weight = weight })).Message));

    [Fact]
    public void The_models_own_template_is_weighed_too()
    {
        var template = ChatTemplates.Load(TestFiles.Golden("qwen2_5_vl_tiny/model"), ChatTemplates.Qwen2Vl);
        var conversation = Text(("Q", "Thought: so\nAction: look"), ("And?", "Observation: 3"));
        var sample = Encode("react", conversation, template: template);
        Assert.Equal([("Thought: so\n", 1), ("Action: look", 2), (End, 1), ("Observation:", 2), (End, 1)], Trained(sample));
    }

    [Fact]
    public void Rows_bring_weights_of_their_own()
    {
        folder.Write("dataset_info.json", """{"d":{"file_name":"rows.jsonl","formatting":"openai","columns":{"messages":"messages","weight":"w"}}}""");
        folder.Write("rows.jsonl", string.Join('\n',
            """{"messages":[{"role":"user","content":"Q"},{"role":"assistant","content":"A"}],"w":2.5}""",
            """{"messages":[{"role":"user","content":"Q"},{"role":"assistant","content":"A","loss":false},"""
                + """{"role":"user","content":"Q"},{"role":"assistant","content":"A","loss_scale":0.5}]}""",
            """{"messages":[{"role":"user","content":"Q"},{"role":"assistant","content":"A"}],"w":null}"""));
        using var data = DatasetLoader.Load(new DataOptions { Dataset = ["d"], DatasetDir = folder.Root });
        Assert.Equal([2.5, 1, 1], Enumerable.Range(0, 3).Select(i => data.Train[i].Weight));
        Assert.Equal((bool?)false, data.Train[1].Messages[1].Trained);
        Assert.Equal(0.5, data.Train[1].Messages[3].Weight);
        Assert.Equal([("A", 0.5f), (End, 1f)], Trained(Encode(null, data.Train[1])));
        Assert.Equal([($"A{End}", 2.5f)], Trained(Encode(null, data.Train[0])));
    }

    [Theory]
    [InlineData("\"w\":0", "w must be a number above 0, not 0")]
    [InlineData("\"w\":-1", "w must be a number above 0, not -1")]
    [InlineData("\"w\":\"much\"", "w must be a number above 0, not much")]
    [InlineData("\"w\":true", "w must be a number above 0, not true or false")]
    [InlineData("\"loss\":3", "message 2: loss must be true or false, not a number")]
    [InlineData("\"loss_scale\":-0.5", "message 2: loss_scale must be a number of at least 0, not -0.5")]
    public void A_weight_that_is_none_is_named_with_its_row(string field, string problem)
    {
        var (outer, inner) = field.StartsWith("\"w\"", StringComparison.Ordinal) ? ("," + field, string.Empty) : (string.Empty, "," + field);
        folder.Write("dataset_info.json", """{"d":{"file_name":"rows.json","formatting":"openai","columns":{"messages":"messages","weight":"w"}}}""");
        folder.Write(
            "rows.json", "[{\"messages\":[{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"content\":\"A\"" + inner + "}]" + outer + "}]");
        var error = Assert.Throws<ConfigException>(() => DatasetLoader.Load(new DataOptions { Dataset = ["d"], DatasetDir = folder.Root }));
        Assert.Contains(problem, error.Message);
        Assert.Contains("row 1", error.Message);
    }

    [Theory]
    [InlineData(LossReduction.Token)]
    [InlineData(LossReduction.Mean)]
    internal void Weights_travel_with_their_tokens_and_the_number_of_tokens_divides(LossReduction reduction)
    {
        EncodedSample[] samples =
        [
            Sample(3) with { Weight = 2 }, Sample(2), Sample(5) with { Weight = 0.5, Weights = [1, 1, 1, 3, 1] },
        ];
        float[] own = [2, 2, 1, 0.5f, 0.5f, 1.5f, 0.5f];
        var options = new PlanOptions { Reduction = reduction };
        StepSample[][] groups = [[new(0, samples[0]), new(1, samples[1])], [new(2, samples[2])]];
        foreach (var budget in (int[])[1, 7, 100])
        {
            using var step = StepPlanner.Plan(0, groups, options with { MicroBatchTokens = budget });
            var weights = step.MicroBatches.SelectMany(batch => TokenLoss.Weights(batch, StepTotals.Of(step))).ToArray();
            float[] share = reduction == LossReduction.Token ? [.. Enumerable.Repeat(1 / 7f, 7)] : [1 / 6f, 1 / 6f, 1 / 6f, 1 / 8f, 1 / 8f, 1 / 8f, 1 / 8f];
            Assert.Equal(own.Zip(share, (w, s) => w * s), weights);
        }

        // Weights of 1 leave no trace.
        using var even = StepPlanner.Plan(0, [[new(0, samples[1] with { Weights = [1, 1] })]], options);
        Assert.Empty(even.MicroBatches[0].LossWeights);
    }

    private static EncodedSample Sample(int length)
    {
        // The first token is not predicted.
        int[] ids = [.. Enumerable.Range(10, length)];
        return new EncodedSample(ids, [EncodedSample.Ignored, .. ids[1..]], [], "d", 1);
    }

    private static Conversation Text(params (string User, string Assistant)[] turns) => Conversations.Of("memory", 7, null, turns);

    private static EncodedSample Encode(
        string? scale, Conversation conversation, Func<DataOptions, DataOptions>? change = null, ChatTemplate? template = null)
    {
        var options = new DataOptions { Dataset = [], LossScale = scale };
        return new SampleEncoder(template ?? ChatTemplates.Qwen2Vl, Tokenizer, Images, (change?.Invoke(options) ?? options).Scaled()).Encode(conversation);
    }

    /// <summary>The trained stretches with what they weigh.</summary>
    private static IReadOnlyList<(string Text, float Weight)> Trained(EncodedSample sample) =>
        [.. ExampleText.Turns(sample, Tokenizer).SelectMany(turn => turn.Text).Where(span => span.Trained).Select(span => (span.Text, span.Weight))];
}
