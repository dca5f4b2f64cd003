using Fovea.Cli.Verbs;

namespace Fovea.Tests.Unit.Generation;

/// <summary>How a typed line becomes a question with images.</summary>
public sealed class ChatInputTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-").FullName;
    private readonly string plain;
    private readonly string spaced;

    public ChatInputTests()
    {
        plain = Path.Combine(folder, "a.png");
        spaced = Path.Combine(folder, "two words.JPG");
        File.WriteAllText(plain, string.Empty);
        File.WriteAllText(spaced, string.Empty);
    }

    [Fact]
    public void An_image_path_in_the_text_becomes_an_image_there()
    {
        Is("What is in <image>?", [plain], $"What is in {plain}?", []);
        Is("Compare <image> and <image>, please", [spaced, plain], $"Compare \"{spaced}\" and {plain}, please", []);
        Is("<image>", [spaced], spaced.Replace(" ", "\\ "), []);
        Is("See <image>.", [spaced], $"See '{spaced}'.", []);
    }

    [Fact]
    public void A_path_that_is_no_file_stays_text_unless_it_is_tagged()
    {
        Is("What is absent.png?", [], "What is absent.png?", []);
        Is("What is <image>?", ["absent.png"], "What is <image>absent.png</image>?", []);
    }

    [Fact]
    public void Attached_images_fill_the_places_and_the_others_come_first()
    {
        Is("<image>What is this?", ["x"], "What is this?", ["x"]);
        Is("Left <image>, right <image>", ["x", "y"], "Left <image>, right <image>", ["x", "y"]);
        Is("<image>Like <image> or <image>?", ["x", "y", "z.png"], "Like <image> or <image>z.png</image>?", ["x", "y"]);
    }

    [Fact]
    public void More_places_than_images_are_an_error() =>
        Assert.Contains("/image", Assert.Throws<ConfigException>(() => ChatInput.Parse("<image> and <image>", ["x"])).Message);

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static void Is(string text, string[] images, string line, string[] attached)
    {
        var parsed = ChatInput.Parse(line, attached);
        Assert.Equal(text, parsed.Text);
        Assert.Equal(images, parsed.Images);
    }
}
