using System.Text.Json.Nodes;
using Fovea.Data.Datasets;

namespace Fovea.Tests.Unit.Library;

/// <summary>The rows of the tiny golden dataset as a program would make them.</summary>
internal static class LibraryRows
{
    private static readonly string Data = TestFiles.Golden("qwen2_5_vl_tiny/data");

    public static List<Conversation> Take(int count) =>
        [.. JsonNode.Parse(File.ReadAllText(Path.Combine(Data, "tiny_shapes.json")))!.AsArray().Take(count).Select(row => Of(row!))];

    private static Conversation Of(JsonNode row)
    {
        var images = new Queue<string>(row["images"]!.AsArray().Select(image => Path.Combine(Data, (string)image!)));
        return new Conversation([.. row["messages"]!.AsArray().Select(message => new Message(
            (string)message!["role"]! == "user" ? Role.User : Role.Assistant,
            Placeholders.Split((string)message["content"]!, () => MediaSource.FromFile(images.Dequeue()))))]);
    }
}
