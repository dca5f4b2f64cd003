using System.Text.Json;
using Fovea.Cli.Verbs;
using Fovea.Data.Datasets;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Spectre.Console;

namespace Fovea.Tests.Unit.Data;

/// <summary>Rows that are there twice: the same conversation and the same bytes of images, whatever the files are called.</summary>
public sealed class DuplicateTests : IDisposable
{
    private static readonly Tokenizer Tokenizer = Tokenizer.Load(TestFiles.Golden("qwen2_5_vl_tiny/model"));
    private readonly TempFolder folder = new();

    public DuplicateTests()
    {
        // Two of the same content, and one that only has the same length.
        var picture = FakeMedia.Picture(4, 4);
        folder.Write("one.txt", picture);
        folder.Write("copy.txt", picture);
        folder.Write("other.txt", [.. picture[..^1], (byte)~picture[^1]]);
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Rows_are_compared_by_text_and_by_the_bytes_of_their_images()
    {
        Assert.Equal(new FileInfo(folder["one.txt"]).Length, new FileInfo(folder["other.txt"]).Length);
        Write("a.jsonl", Row("Q", "A"), Row("<image>Q", "A", "one.txt"), Row("<image>Q", "A", "other.txt"), Row("<image>Q", "A", "copy.txt"), Row("Q", "A"),
            Row("Q", "B"), Row("Q", "A"));
        Write("b.jsonl", Row("R", "A"), Row("<image>Q", "A", "one.txt"));
        var found = Find(["a.jsonl", "b.jsonl"]);
        Assert.Equal((3, 1, 0), (found.InDataset, found.InOthers, found.HeldOut));
        Assert.Equal(["a.jsonl, row 5 = a.jsonl, row 1", "a.jsonl, row 7 = a.jsonl, row 1", "a.jsonl, row 4 = a.jsonl, row 2"], found.Within);
        Assert.Equal(["b.jsonl, row 2 = a.jsonl, row 2"], found.Across);
    }

    [Fact]
    public void A_held_out_row_that_is_trained_on_is_a_leak_in_any_format_and_file()
    {
        Write("a.jsonl", Row("Q", "A"), Row("<image>R", "B", "one.txt"));
        folder.Write("held.json", "["
            + JsonSerializer.Serialize(new
            {
                messages = new[] { new { role = "user", content = "<image>R" }, new { role = "assistant", content = "B" } }, images = new[] { "copy.txt" },
            }) + "," + Row("Q", "another") + "," + Row("Q", "another") + "]");
        var found = Find(["a.jsonl"], "held.json");
        Assert.Equal((0, 0, 1), (found.InDataset, found.InOthers, found.HeldOut));
        Assert.Equal(["held.json, row 1 = a.jsonl, row 2"], found.Leaked);
        Assert.Equal(2, Find(["a.jsonl"], "a.jsonl").HeldOut);
    }

    [Fact]
    public void A_dataset_that_is_named_twice_or_drawn_again_repeats_nothing()
    {
        Write("a.jsonl", Row("Q", "A"), Row("R", "B"), Row("S", "C"));
        Write("b.jsonl", Row("T", "D"));
        Assert.Equal(new DuplicateReport(0, 0, 0), Find(["a.jsonl", "a.jsonl"]) with { Within = [], Across = [], Leaked = [] });
        var options = Options(["a.jsonl", "b.jsonl"]) with { MixStrategy = Fovea.Data.Sampling.MixStrategy.InterleaveOver };
        using var data = DatasetLoader.Load(options);
        Assert.Equal(6, data.Train.Count);
        Assert.Equal((0, 0), (Duplicates.Find(data.Train, null, (_, _) => true).InDataset, Duplicates.Find(data.Train, null, (_, _) => true).InOthers));
    }

    [Fact]
    public void Data_check_counts_them_and_shows_the_first()
    {
        Write("a.jsonl", [.. Enumerable.Repeat(Row("Q", "A"), 9)]);
        Write("e.jsonl", Row("Q", "A"));
        var options = Options(["a.jsonl"]) with { EvalDataset = ["e.jsonl"] };
        var media = new FakeMedia();
        var encoder = new SampleEncoder(ChatTemplates.Qwen2Vl, Tokenizer, media, options);
        var report = DataCheck.Run(options, Tokenizer, media, encoder);
        using var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(text), Ansi = AnsiSupport.No });
        console.Profile.Width = 500;
        DataVerb.Render(console, report, 5);
        Assert.Contains("8 rows repeat one of their own dataset", text.ToString());
        Assert.Contains("  a.jsonl, row 2 = a.jsonl, row 1", text.ToString());
        Assert.Contains("  and 3 more", text.ToString());
        Assert.Contains("1 held-out rows are trained on as well", text.ToString());
        Assert.Contains("  e.jsonl, row 1 = a.jsonl, row 1", text.ToString());
    }

    private static string Row(string question, string answer, params string[] images) =>
        JsonSerializer.Serialize(new { instruction = question, output = answer, images });

    private void Write(string name, params string[] rows) => folder.Write(name, string.Join('\n', rows));

    private DataOptions Options(string[] names) => new() { Dataset = names, DatasetDir = folder.Root };

    private DuplicateReport Find(string[] train, params string[] eval)
    {
        using var data = DatasetLoader.Load(Options(train) with { EvalDataset = eval });
        return Duplicates.Find(data.Train, data.Eval, (_, _) => true);
    }
}
