using Fovea.Cli.Demo;
using Fovea.Data.Images;
using Fovea.Data.Tokenizers;
using Spectre.Console;

namespace Fovea.Tests.Unit.Demo;

/// <summary>Pictures, tokenizer, configurations and the verdict, each on its own.</summary>
public sealed class DemoPartsTests
{
    [Fact]
    public void The_same_seed_draws_the_same_picture_and_another_seed_another_one()
    {
        var first = new PictureArtist(3).Draw(DemoShape.Star, DemoColour.Blue);
        Assert.Equal(first, new PictureArtist(3).Draw(DemoShape.Star, DemoColour.Blue));
        Assert.NotEqual(first, new PictureArtist(4).Draw(DemoShape.Star, DemoColour.Blue));
    }

    [Theory]
    [InlineData("Red", 0)]
    [InlineData("Green", 1)]
    [InlineData("Blue", 2)]
    public void A_picture_has_the_colour_that_it_is_said_to_have(string colour, int strongest)
    {
        var pixels = new PictureArtist(5).Draw(DemoShape.Square, Enum.Parse<DemoColour>(colour));
        var vivid = pixels.Chunk(3).Where(rgb => rgb.Max() - rgb.Min() > 100).ToList();
        Assert.True(vivid.Count > 200, $"{vivid.Count} vivid pixels");
        Assert.All(vivid, rgb => Assert.Equal(rgb.Max(), rgb[strongest]));
    }

    [Fact]
    public void Every_word_of_the_data_is_one_token_and_any_text_survives()
    {
        var folder = Directory.CreateTempSubdirectory("fovea-demo").FullName;
        try
        {
            var made = new DemoTokenizer(DemoData.Texts);
            made.Write(folder);
            var tokenizer = Tokenizer.Load(folder);
            Assert.All(DemoTask.Fruit.Answers, answer => Assert.Single(tokenizer.Encode(answer)));
            Assert.All(DemoTask.Describe.Answers, answer => Assert.Equal(3, tokenizer.Encode(answer).Length));
            Assert.Equal(6, tokenizer.Encode(DemoTask.Fruit.Question).Length);
            Assert.Equal(made.IdOf("<|image_pad|>"), tokenizer.IdOf("<|image_pad|>"));
            const string text = "Grün, 日本 & 42\n\tdone";
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void The_examples_are_what_the_demonstration_runs()
    {
        var (folder, options) = (DemoFolder.At(DemoOptions.DefaultOutput), new DemoOptions());
        Assert.Equal(DemoConfigs.Base(folder, options), File.ReadAllText(Path.Combine(TestFiles.Root, "examples", "demo_base.yaml")));
        Assert.Equal(DemoConfigs.Adapter(folder, options), File.ReadAllText(Path.Combine(TestFiles.Root, "examples", "demo_lora.yaml")));
    }

    [Theory]
    [InlineData(10, 95, 0)]
    [InlineData(10, 40, 1)]
    [InlineData(60, 95, 1)]
    public void Only_a_rise_far_above_chance_and_the_model_before_is_a_success(double before, int shapes, int failures) =>
        Assert.Equal(failures, new DemoResult(before, Right(shapes), 0, Right(100)).Failures(40).Count());

    [Fact]
    public void A_question_that_was_not_learnt_is_a_failure_too()
    {
        Assert.Contains("fruit: 0.0 %", Assert.Single(new DemoResult(0, Right(95), 0, Right(0)).Failures(40)));
        var (low, high) = DemoExam.Interval(Right(95));
        Assert.Equal((88.8, 97.8), (Math.Round(low, 1), Math.Round(high, 1)));
    }

    [Fact]
    public void Thumbnails_show_two_pixels_a_character_where_the_terminal_can()
    {
        using var text = new StringWriter();
        var console = Terminal(text, AnsiSupport.Yes, ColorSystemSupport.TrueColor);
        Assert.Equal(3, Thumbnails.Fit(console));
        Thumbnails.Write(console, [new RgbImage(48, 48, new PictureArtist(1).Draw(DemoShape.Circle, DemoColour.Red)[..(48 * 48 * 3)])]);
        Assert.Equal(Thumbnails.Side * Thumbnails.Side / 2, text.ToString().Count(c => c == '\u2580'));
        Assert.Equal(0, Thumbnails.Fit(Terminal(text, AnsiSupport.No, ColorSystemSupport.NoColors)));
    }

    /// <summary>A hundred answers, so many of them right.</summary>
    private static List<DemoAnswer> Right(int count) => [.. Enumerable.Range(0, 100).Select(i =>
        new DemoAnswer(new DemoPicture("a.png", DemoShape.Star, DemoColour.Red), i < count ? "cherry" : "plum", "cherry"))];

    private static IAnsiConsole Terminal(TextWriter output, AnsiSupport ansi, ColorSystemSupport colours)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = ansi, ColorSystem = colours, Out = new AnsiConsoleOutput(output) });
        (console.Profile.Width, console.Profile.Capabilities.Unicode) = (80, true);
        return console;
    }
}
