using System.Text.Json.Nodes;
using Fovea.Data.Datasets;

namespace Fovea.Tests.Unit.Data;

/// <summary>Which fields a row has, no other row decides: in every format, container, folder and use.</summary>
public sealed class RowFieldTests : IDisposable
{
    private static readonly string Messages = """[{"role":"user","content":"Q"},{"role":"assistant","content":"A"}]""";
    private static readonly string Shown = """[{"role":"user","content":"<image>Q"},{"role":"assistant","content":"A"}]""";
    private static readonly string Said = """[{"from":"human","value":"Q"},{"from":"gpt","value":"A"}]""";

    private readonly TempFolder folder = new();

    public RowFieldTests()
    {
        folder.Write("a.png", "x");
        folder.Write("b.png", "x");
    }

    // A row without the field, and one with it.
    public static TheoryData<string, string> Pairs => new()
    {
        { """{"instruction":"Q","output":"A"}""", """{"instruction":"Q","input":"more","output":"A"}""" },
        { """{"instruction":"Q","output":"A"}""", """{"instruction":"Q","output":"A","history":[["q","a"]]}""" },
        { """{"instruction":"Q","output":"A"}""", """{"instruction":"Q","output":"A","system":"S"}""" },
        { """{"instruction":"Q","output":"A"}""", """{"instruction":"<image>Q","output":"A","images":["a.png"]}""" },
        { """{"instruction":"Q","output":"A"}""", """{"instruction":"Q","output":"A","image":"a.png"}""" },
        { $$"""{"messages":{{Messages}}}""", $$"""{"messages":{{Messages}},"system":"S"}""" },
        { $$"""{"messages":{{Messages}}}""", $$"""{"messages":{{Shown}},"images":["a.png"]}""" },
        { $$"""{"messages":{{Messages}},"images":null}""", $$"""{"messages":{{Shown}},"images":["a.png"]}""" },
        { $$"""{"messages":{{Messages}},"images":[]}""", $$"""{"messages":{{Shown}},"image":"a.png"}""" },
        { $$"""{"messages":{{Messages}}}""", $$"""{"messages":{{Shown}},"image":{"path":"a.png","bytes":null} }""" },
        { $$"""{"conversations":{{Said}}}""", $$"""{"conversations":{{Said}},"system":"S"}""" },
        { $$"""{"conversations":{{Said}}}""", $$"""{"conversations":{{Said}},"image":"a.png"}""" },
        { $$"""{"conversations":{{Messages}}}""", $$"""{"conversations":{{Messages}},"image":"a.png"}""" },
        {
            $$"""{"conversations":{{Messages}}}""",
            """
            {"conversations":[{"role":"user","content":"<image_00>and<image_01>"},{"role":"assistant","content":"A"}],
             "image":{"<image_00>":"b.png","<image_01>":"a.png"}}
            """.ReplaceLineEndings(string.Empty)
        },
        { $$"""{"conversations":{{Shown.Replace("<image>", "<image><image>")}},"image":"a.png, b.png"}""", $$"""{"conversations":{{Messages}}}""" },
        { $$"""{"conversations":{{Said}}}""", $$"""{"messages":{{Messages}},"conversations":null,"system":"S"}""" },
        { """{"instruction":"Q","output":"A"}""", $$"""{"messages":{{Shown}},"images":["a.png"]}""" },
    };

    public void Dispose() => folder.Dispose();

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Rows_in_any_order_file_and_container_are_the_same_conversations(string first, string second)
    {
        var expected = new[] { Text(Load(first)[0]), Text(Load(second)[0]) };
        Assert.NotEqual(expected[0], expected[1]);
        Assert.Equal(expected, Load(first, second).Select(Text));
        Assert.Equal(expected.Reverse(), Load(second, first).Select(Text));

        folder.Write("many/1.json", $"[{second}]");
        folder.Write("many/2.jsonl", $"{first}\n{second}");
        using var many = DatasetLoader.Load(Options("many/") with { EvalDataset = ["lines.jsonl"] });
        Assert.Equal([expected[1], expected[0], expected[1]], All(many.Train).Select(Text));
        Assert.Equal(expected.Reverse(), All(many.Eval!).Select(Text));
    }

    [Fact]
    public void Fields_that_nobody_reads_are_told_once_a_data_set_with_the_nearest_name()
    {
        string[] rows =
        [
            """{"instruction":"Q","output":"A","id":1,"empty":null,"none":[],"blank":""}""",
            """{"instruction":"Q","output":"A","id":2,"sytem":"S"}""",
            """{"instruction":"Q","output":"A","histroy":[["a","b"]],"image_id":7,"image_caption":"A cat on a mat","image_size":[640,480]}""",
        ];
        folder.Write("rows.jsonl", string.Join('\n', rows));
        using var data = DatasetLoader.Load(Options("rows.jsonl", "rows.jsonl") with { EvalDataset = ["rows.jsonl"] });
        Assert.Equal(
            "dataset 'rows.jsonl': nothing reads the columns 'id', 'sytem' (did you mean 'system'?), 'histroy' (did you mean 'history'?), "
                + "'image_id', 'image_caption', 'image_size'",
            Assert.Single(data.Notices));
        Assert.Equal(6, data.Train.Count);
    }

    [Fact]
    public void Fields_that_an_entry_leaves_out_are_told_with_the_key_that_would_read_them()
    {
        folder.Write("dataset_info.json", """{"d":{"file_name":"rows.jsonl","columns":{"prompt":"question","response":"answer"}}}""");
        folder.Write("rows.jsonl", """{"question":"Q","answer":"A","input":"I","system":"S","anwser":"B"}""");
        using var data = DatasetLoader.Load(Options("d"));
        Assert.Equal(
            "dataset 'd': nothing reads the columns 'input' (columns.query would), 'system' (columns.system would), 'anwser' (did you mean 'answer'?)",
            Assert.Single(data.Notices));
    }

    [Theory]
    [InlineData("img", "\"a.png\"")]
    [InlineData("image_path", "\"a.png\"")]
    [InlineData("imagePath", "\"sub/0001\"")]
    [InlineData("image-file", "\"0001\"")]
    [InlineData("Images", "[\"a.png\"]")]
    [InlineData("picture", "{\"path\":\"a.png\"}")]
    [InlineData("photos", "[{\"bytes\":null,\"path\":\"a.png\"}]")]
    [InlineData("photo", "\"https://example.org/1\"")]
    [InlineData("image_url", "\"https://example.org/1.jpg\"")]
    [InlineData("image_b64", "\"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMC\"")]
    [InlineData("image_1", "\"data:image/png;base64,AAAA\"")]
    [InlineData("left_image", "\"views/a.webp\"")]
    [InlineData("images2", "[[\"a.png\"]]")]
    public void Images_under_a_name_that_is_not_read_are_an_error_with_the_remedy(string field, string value)
    {
        var error = Refused($$"""{"instruction":"Q","output":"A","{{field}}":{{value}}}""");
        Assert.StartsWith($"dataset 'rows.jsonl', row 1: the field '{field}' holds images, and nothing reads it: name it images, or describe it", error);

        folder.Write("dataset_info.json", """{"d":{"file_name":"rows.jsonl"}}""");
        var entry = Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options("d"))).Problems[0];
        Assert.Contains($"dataset 'd', row 1: the field '{field}' holds images", entry);
        Assert.EndsWith($"write \"images\": \"{field}\" into the columns of 'd' in dataset_info.json (in rows.jsonl)", entry);
    }

    [Fact]
    public void A_later_row_s_images_are_refused_where_the_entry_does_not_map_them_also_for_evaluation()
    {
        folder.Write("dataset_info.json", """{"d":{"file_name":"rows.jsonl","formatting":"openai"}}""");
        folder.Write("rows.jsonl", $$"""{"messages":{{Messages}}}""" + "\n" + $$"""{"messages":{{Messages}},"images":["a.png"]}""");
        folder.Write("plain.jsonl", $$"""{"messages":{{Messages}}}""");
        var error = Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options("plain.jsonl") with { EvalDataset = ["d"] }));
        Assert.StartsWith("dataset 'd', row 2: the field 'images' holds images, and nothing reads it", error.Problems[0]);
    }

    [Fact]
    public void Beside_the_row_s_images_a_second_field_of_them_is_an_error_but_their_names_and_addresses_are_not()
    {
        var row = $$"""{"messages":{{Shown}},"images":["a.png"],"%":"%%"}""";
        Assert.Contains("the row's images are read from 'images': put all of them there", Refused(row.Replace("%%", "b.png").Replace("%", "image")));
        Assert.Equal("a.png", Path.GetFileName(Load(row.Replace("%%", "https://example.org/b.png").Replace("%", "image_url"))[0].Images[0].Name));
        Assert.Single(Load(row.Replace("%%", "b.png").Replace("%", "image_name")));
    }

    [Theory]
    [InlineData("""[{"role":"user","content":"Q","images":["a.png"]},{"role":"assistant","content":"A"}]""", "message 1: its 'images' holds images")]
    [InlineData("""[{"role":"user","content":[{"type":"text","text":"Q"}]},{"role":"assistant","content":"A"}]""", "message 1: content is a list of parts")]
    public void Images_that_hang_on_messages_are_refused(string messages, string reason) =>
        Assert.Contains(reason, Refused($$"""{"messages":{{messages}}}"""));

    [Fact]
    public void A_row_of_an_unknown_shape_is_named_with_its_fields()
    {
        Assert.Contains(
            "row 1: is not recognised: it needs messages, conversations, or instruction and output, and has question, answer; describe other field names",
            Refused("""{"question":"Q","answer":"A"}"""));
    }

    [Fact]
    public void A_bad_row_of_a_folder_is_named_with_its_file_and_the_row_there()
    {
        folder.Write("many/1.jsonl", """{"instruction":"Q","output":"A"}""");
        folder.Write("many/2.jsonl", """{"instruction":"Q","output":"A"}""" + "\n" + """{"instruction":"Q","output":5}""");
        var error = Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options("many/")));
        Assert.Equal("dataset 'many/', row 3: output must be text, not a number (in 2.jsonl, there row 2)", error.Problems[0]);
    }

    private static string Text(Conversation c) =>
        $"{c.System()} | {string.Join(" | ", c.Turns())} | {string.Join(", ", c.Images.Select(image => Path.GetFileName(image.Name)))}";

    private static List<Conversation> All(ConversationSet set) => [.. Enumerable.Range(0, set.Count).Select(i => set[i])];

    private string Refused(string row)
    {
        folder.Write("rows.jsonl", row);
        return Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options("rows.jsonl"))).Problems[0];
    }

    /// <summary>As a list, and the same as lines.</summary>
    private List<Conversation> Load(params string[] rows)
    {
        folder.Write("list.json", $"[{string.Join(',', rows)}]");
        folder.Write("lines.jsonl", string.Join('\n', rows.Select(row => JsonNode.Parse(row)!.ToJsonString())));
        using var list = DatasetLoader.Load(Options("list.json"));
        using var lines = DatasetLoader.Load(Options("lines.jsonl"));
        Assert.Equal(All(list.Train).Select(Text), All(lines.Train).Select(Text));
        return All(list.Train);
    }

    private DataOptions Options(params string[] names) => new() { Dataset = names, DatasetDir = folder.Root };
}
