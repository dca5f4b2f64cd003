using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fovea.Cli.Demo;

/// <summary>The pictures and the datasets over them, in LLaMA-Factory's format: <c>dataset_info.json</c> and rows of messages with images.</summary>
/// <param name="Train">Pictures to learn from.</param>
/// <param name="HeldOut">Pictures that no training sees.</param>
internal sealed record DemoData(IReadOnlyList<DemoPicture> Train, IReadOnlyList<DemoPicture> HeldOut)
{
    internal const string PicturesName = "demo_pictures";
    internal const string WordsName = "demo_words";
    internal const string FruitName = "demo_fruit";
    internal const string HeldOutPicturesName = "demo_held_out_pictures";
    internal const string HeldOutFruitName = "demo_held_out_fruit";

    private const int PicturesPerSaying = 20;

    /// <summary>Text without pictures, from which the base has the words of fruit.</summary>
    private static readonly (string Question, string Answer)[] Sayings =
        [.. Enum.GetValues<DemoColour>().Select(colour => ($"Which colour is the {DemoTask.Fruits[(int)colour]}?", DemoTask.Word(colour)))];

    private static readonly JsonSerializerOptions Readable = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Every text that the data holds, for the tokenizer.</summary>
    public static IEnumerable<string> Texts =>
    [
        DemoTask.Describe.Question, .. DemoTask.Describe.Answers, DemoTask.Fruit.Question, .. DemoTask.Fruit.Answers,
        .. Sayings.SelectMany(saying => new[] { saying.Question, saying.Answer }),
    ];

    /// <summary>Draws the pictures and writes the datasets.</summary>
    public static DemoData Write(string folder, DemoOptions options)
    {
        Directory.CreateDirectory(Path.Combine(folder, "images"));
        var train = Draw(folder, "train", options.Pictures, options.Seed);
        var heldOut = Draw(folder, "held_out", options.HeldOut, options.Seed + 1);
        Save(folder, PicturesName, train.Select(picture => Row(DemoTask.Describe, picture)));
        Save(folder, WordsName, Enumerable.Range(0, options.Pictures / PicturesPerSaying).Select(i => Sayings[i % Sayings.Length]).Select(
            saying => Row(saying.Question, saying.Answer, null)));
        Save(folder, FruitName, train.Take(options.FruitPictures).Select(picture => Row(DemoTask.Fruit, picture)));
        Save(folder, HeldOutPicturesName, heldOut.Select(picture => Row(DemoTask.Describe, picture)));
        Save(folder, HeldOutFruitName, heldOut.Select(picture => Row(DemoTask.Fruit, picture)));
        var info = new JsonObject();
        foreach (var name in new[] { PicturesName, WordsName, FruitName, HeldOutPicturesName, HeldOutFruitName })
        {
            info[name] = new JsonObject
            {
                ["file_name"] = $"{name}.json",
                ["formatting"] = "sharegpt",
                ["columns"] = new JsonObject { ["messages"] = "messages", ["images"] = "images" },
                ["tags"] = new JsonObject
                {
                    ["role_tag"] = "role", ["content_tag"] = "content", ["user_tag"] = "user", ["assistant_tag"] = "assistant",
                },
            };
        }

        File.WriteAllText(Path.Combine(folder, "dataset_info.json"), info.ToJsonString(Readable) + "\n");
        return new DemoData(train, heldOut);
    }

    /// <summary>Shapes and colours in every combination equally often, in random order.</summary>
    private static DemoPicture[] Draw(string folder, string name, int count, int seed)
    {
        var (shapes, colours) = (Enum.GetValues<DemoShape>(), Enum.GetValues<DemoColour>());
        var kinds = Enumerable.Range(0, count).Select(i => (Shape: shapes[i % shapes.Length], Colour: colours[i / shapes.Length % colours.Length])).ToArray();
        new Random(seed).Shuffle(kinds);
        var artist = new PictureArtist(seed);
        var pictures = new DemoPicture[count];
        for (var i = 0; i < count; i++)
        {
            pictures[i] = new DemoPicture($"images/{name}_{i:0000}.png", kinds[i].Shape, kinds[i].Colour);
            artist.Save(Path.Combine(folder, pictures[i].File), kinds[i].Shape, kinds[i].Colour);
        }

        return pictures;
    }

    private static JsonObject Row(DemoTask task, DemoPicture picture) => Row($"<image>{task.Question}", task.Expected(picture), picture.File);

    private static JsonObject Row(string question, string answer, string? image) => new()
    {
        ["messages"] = new JsonArray(
            new JsonObject { ["role"] = "user", ["content"] = question },
            new JsonObject { ["role"] = "assistant", ["content"] = answer }),
        ["images"] = image is null ? new JsonArray() : new JsonArray(image),
    };

    private static void Save(string folder, string name, IEnumerable<JsonObject> rows) =>
        File.WriteAllText(Path.Combine(folder, $"{name}.json"), new JsonArray([.. rows]).ToJsonString(Readable) + "\n");
}
