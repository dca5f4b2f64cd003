using Fovea.Cli.Verbs;
using Fovea.Data.Datasets;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Training.Config;
using Spectre.Console;

namespace Fovea.Tests.Unit.Data;

public sealed class DataCheckTests : IDisposable
{
    private static readonly Tokenizer Tokenizer = Tokenizer.Load(TestFiles.Golden("qwen2_5_vl_tiny/model"));
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void It_counts_what_training_would_see()
    {
        var report = Check();
        var set = Assert.Single(report.Datasets);
        Assert.Equal(("d.jsonl", 6, 3), (set.Name, set.Rows, set.Samples));
        Assert.Equal(1, set.Images);
        Assert.Equal(3, set.Rejected);
        Assert.Equal(1, set.TooLong);
        Assert.Equal(1, set.Truncated);
        Assert.Equal(60, set.MaxTokens);
        Assert.Equal(set.MaxTokens, set.P95Tokens);
        Assert.InRange(set.MedianTokens, 1, 59);
        Assert.InRange(set.TrainedTokens, 3, set.Tokens - 3);
    }

    [Fact]
    public void It_names_every_rejected_row_with_its_reason_also_torn_images_when_asked()
    {
        var rejected = Check().Rejected;
        Assert.Equal([2, 4, 5], rejected.Select(b => b.Row));
        Assert.Contains("the answer is empty", rejected[0].Reason);
        Assert.Contains("too long", rejected[1].Reason);
        Assert.Contains("is not a JPEG, PNG, WebP or GIF file", rejected[2].Reason);
        folder.Write("good.txt", FakeMedia.Picture(4, 4, torn: true));
        Assert.Contains(Check().Rejected, b => b.Row == 1 && b.Reason.Contains("ends too early", StringComparison.Ordinal));
    }

    [Fact]
    public void So_many_images_are_decoded_drawn_by_a_fixed_seed_or_all()
    {
        for (var i = 0; i < 40; i++)
        {
            folder.Write($"{i}.txt", FakeMedia.Picture(4, 4, torn: i % 2 == 1));
        }

        folder.Write("many.jsonl", string.Join('\n', Enumerable.Range(0, 20).Select(i =>
            $$"""{"instruction":"<image><image>What?","output":"This.","images":["{{2 * i}}.txt","{{(2 * i) + 1}}.txt"]}""")));
        var options = new DataOptions { Dataset = ["many.jsonl"], DatasetDir = folder.Root };
        var stage = new FakeMedia();
        var some = Run(options, stage, decode: 10);
        Assert.Equal((10, some.Decoded), (stage.Loaded, 10));
        Assert.InRange(some.Rejected.Count, 1, 9);
        Assert.Equal(some.Rejected, Run(options, new FakeMedia(), decode: 10).Rejected);
        Assert.Equal((40, 20), (Run(options, new FakeMedia()).Decoded, Check("many.jsonl").Rejected.Count));
        Assert.Empty(Run(options, new FakeMedia(), decode: 0).Rejected);
    }

    [Fact]
    public void A_data_set_that_is_named_twice_is_counted_by_each_naming_and_its_bad_rows_are_listed_once()
    {
        var once = Check();
        var twice = Check("d.jsonl", "d.jsonl");
        Assert.Equal([once.Datasets[0], once.Datasets[0]], twice.Datasets);
        Assert.Equal(once.Rejected, twice.Rejected);
        Assert.Equal((3, 3), (once.RejectedRows, twice.RejectedRows));
    }

    [Fact]
    public void It_shows_a_sample_with_an_image_and_what_of_it_is_trained()
    {
        var report = Check();
        Assert.Equal("d.jsonl, row 1", report.ExampleName);
        Assert.Equal(
            [
                new("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|>", false),
                new("<|image_pad|> x 4", false),
                new("<|vision_end|>What?<|im_end|>\n<|im_start|>assistant\n", false),
                new("This.<|im_end|>\n", true),
            ],
            report.Example);
    }

    [Fact]
    public void The_rendered_report_holds_counts_reasons_and_the_sample()
    {
        var text = new StringWriter();
        var settings = new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Out = new AnsiConsoleOutput(text) };
        var console = AnsiConsole.Create(settings);
        console.Profile.Width = 120;
        DataVerb.Render(console, Check(), rows: 2);
        var shown = text.ToString();
        Assert.Contains("3 rejected (1 too long)", shown);
        Assert.Contains("3 rows cannot be used", shown);
        Assert.Contains("row 2: the answer is empty", shown);
        Assert.Contains("and 1 more", shown);
        Assert.Contains(">>trained<< is what it is trained on", shown);
        Assert.Contains("assistant\n>>This.<|im_end|>\u21b5\n<<", shown);
        var unwrapped = shown.ReplaceLineEndings(" ");
        Assert.Contains($">>{string.Join(' ', Tokenizer.Encode("This.<|im_end|>\n"))}<<", unwrapped);
        Assert.Contains($"{Tokenizer.IdOf("<|image_pad|>")} x 4 ", unwrapped);
    }

    [Fact]
    public void Each_turn_is_shown_as_text_and_as_ids_with_what_is_trained()
    {
        var options = new DataOptions { Dataset = ["two.json"], DatasetDir = folder.Root };
        folder.Write("two.json", """
            [{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"},
                           {"role": "user", "content": "R"}, {"role": "assistant", "content": "B"}]}]
            """);

        var turns = Run(options, new FakeMedia()).Turns;

        var answer = Tokenizer.Encode("B<|im_end|>\n");
        var question = Tokenizer.Encode("<|im_start|>user\nR<|im_end|>\n<|im_start|>assistant\n");
        Assert.Equal(2, turns.Count);
        Assert.Equal(
            [new ExampleSpan("<|im_start|>user\nR<|im_end|>\n<|im_start|>assistant\n", false), new ExampleSpan("B<|im_end|>\n", true)], turns[1].Text);
        Assert.Equal([new ExampleSpan(string.Join(' ', question), false), new ExampleSpan(string.Join(' ', answer), true)], turns[1].Ids);
        Assert.Equal((question.Length + answer.Length, answer.Length), (turns[1].Tokens, turns[1].Trained));
        var last = Run(options with { MaskHistory = true }, new FakeMedia()).Turns;
        Assert.Equal([0, answer.Length], last.Select(turn => turn.Trained));
    }

    [Fact]
    public void The_model_s_own_template_shows_the_same_sample_as_the_family_s()
    {
        folder.Write("rows.jsonl", Row("Q", "A"));
        var config = folder.Write("run.yaml", $"""
            model_name_or_path: {TestFiles.Golden("qwen2_5_vl_tiny/model")}
            dataset: rows.jsonl
            dataset_dir: {folder.Root}
            """);

        var own = Example("template=chat_template");

        Assert.Equal(Example("template=qwen2_vl"), own);
        Assert.Contains(own, span => span.Trained);
        var e = Assert.Throws<ConfigException>(() => Example("template=chat_templates"));
        Assert.Contains(", or chat_template for the model's own", e.Message);

        IReadOnlyList<ExampleSpan> Example(string template) =>
            DataVerb.Check(TrainConfig.Load(config, [template], ConfigUse.Data), decode: 0, CancellationToken.None).Example;
    }

    [Theory]
    [InlineData("A1", "error", 0)]
    [InlineData("", "error", 1)]
    [InlineData("", "skip", 0)]
    public void The_verb_reads_a_run_s_configuration_and_fails_where_training_would(string answer, string policy, int exit)
    {
        folder.Write("rows.jsonl", Row("Q1", answer) + "\n" + Row("Q2", "A2"));
        var config = folder.Write("run.yaml", $"""
            model_name_or_path: {TestFiles.Golden("qwen2_5_vl_tiny/model")}
            dataset: rows.jsonl
            dataset_dir: {folder.Root}
            output_dir: {folder.Root}/out
            """);
        Assert.Equal(exit, DataVerb.Create().Parse(["check", config, $"on_bad_sample={policy}"]).Invoke());
    }

    [Fact]
    public void Ignored_keys_are_reported_as_a_run_reports_them()
    {
        folder.Write("rows.jsonl", Row("Q", "A"));
        var config = folder.Write("run.yaml", $"""
            model_name_or_path: {TestFiles.Golden("qwen2_5_vl_tiny/model")}
            dataset: rows.jsonl
            dataset_dir: {folder.Root}
            label_mask: original
            trust_remote_code: true
            """);

        var notices = DataVerb.Check(TrainConfig.Load(config, [], ConfigUse.Data), decode: 0, CancellationToken.None).Notices;

        Assert.Equal(
            ["trust_remote_code is ignored: no code from a model folder is ever run", "label_mask is ignored: it is for MiniMind-V, this model is qwen2_5_vl"],
            notices);
    }

    private DataReport Check(params string[] names)
    {
        if (!File.Exists(Path.Combine(folder.Root, "d.jsonl")))
        {
            folder.Write("good.txt", FakeMedia.Picture(4, 4));
            folder.Write("huge.txt", FakeMedia.Picture(40, 40));
            folder.Write("bad.txt", "bad");
            string[] rows =
            [
                Row("<image>What?", "This.", "good.txt"), Row("Q", ""), Row("Q", new string('x', 900)), Row("<image>What?", "This.", "huge.txt"),
                Row("<image>What?", "This.", "bad.txt"), Row("Short", "One"),
            ];
            folder.Write("d.jsonl", string.Join('\n', rows));
        }

        var options = new DataOptions { Dataset = names is [] ? ["d.jsonl"] : names, DatasetDir = folder.Root, CutoffLen = 60 };
        return Run(options, new FakeMedia());
    }

    private static DataReport Run(DataOptions options, FakeMedia media, int decode = DataCheck.DecodedByDefault) =>
        DataCheck.Run(options, Tokenizer, media, new SampleEncoder(ChatTemplates.Qwen2Vl, Tokenizer, media, options), decode);

    private static string Row(string question, string answer, string? image = null) =>
        $"{{\"instruction\":\"{question}\",\"output\":\"{answer}\",\"images\":[{(image is null ? "" : $"\"{image}\"")}]}}";
}
