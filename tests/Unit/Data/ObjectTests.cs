using System.Buffers.Binary;
using System.Text.Json.Nodes;
using Fovea.Cli.Verbs;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Objects;
using Fovea.Models.Grids;
using Fovea.Models.MiniCpmV;
using Fovea.Training.Config;
using Spectre.Console;

namespace Fovea.Tests.Unit.Data;

/// <summary>Names, boxes and points of rows, in ms-swift's form and as a program gives them, written as each model knows them.</summary>
public sealed class ObjectTests : IDisposable
{
    private static readonly string Model = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("qwen2_vl", ObjectFormat.Legacy)]
    [InlineData("qwen2_vl", ObjectFormat.New)]
    [InlineData("qwen2_5_vl", ObjectFormat.Legacy)]
    [InlineData("qwen2_5_vl", ObjectFormat.New)]
    [InlineData("qwen3_vl", ObjectFormat.Legacy)]
    [InlineData("qwen3_vl", ObjectFormat.New)]
    public void Texts_are_those_of_ms_swift_s_own_functions(string template, ObjectFormat format)
    {
        var golden = JsonNode.Parse(File.ReadAllText(TestFiles.Golden("objects/objects.json")))!.AsArray();
        var rows = Load(golden.Select(row => Row(row!)));
        for (var i = 0; i < golden.Count; i++)
        {
            var made = golden[i]!["made"]![$"{template}/{format.ToString().ToLowerInvariant()}"]!.AsArray().Select(text => (string)text!);
            Assert.Equal(made, Texts(Writer(FormOf(template), new DataOptions { BboxFormat = format }).Fill(rows[i])));

            // Without a word in the configuration, rows that write JSON get lists, others the model's marks.
            var isJson = golden[i]!["json"] is not null;
            Assert.Equal(isJson == (format == ObjectFormat.New), made.SequenceEqual(Texts(Writer(FormOf(template)).Fill(rows[i]))));
        }
    }

    [Theory]
    [InlineData(640, 480)]
    [InlineData(97, 1300)]
    [InlineData(3000, 2000)]
    public void Coordinates_come_back_within_half_a_step_of_the_model_s(int width, int height)
    {
        var random = new NumpyRandom(7).Permutation(4000);
        foreach (var form in new[] { GridObjects.InPixels, GridObjects.InThousandths })
        {
            for (var i = 0; i < 200; i++)
            {
                double[] numbers = [.. Enumerable.Range(0, 4).Select(k => random[(4 * i) + k] / 4000.0 * (k % 2 == 0 ? width : height))];
                var row = Given(width, height, new ObjectBox(numbers[0], numbers[1], numbers[2], numbers[3]));
                Writer(form).Fill(row, out var places);
                var (box, frame) = ((ObjectBox)places[0].Place, places[0].Frame);
                var back = (ObjectBox)frame.FromModel([.. places[0].Numbers.Select(n => (double)n)], 0);
                var (x, y) = (0.5 * width / frame.ModelWidth, 0.5 * height / frame.ModelHeight);
                Assert.InRange(back.Left, box.Left - x - 1e-9, box.Left + x + 1e-9);
                Assert.InRange(back.Bottom, box.Bottom - y - 1e-9, box.Bottom + y + 1e-9);
                Assert.True(box.Left <= box.Right && box.Top <= box.Bottom);
            }
        }
    }

    [Fact]
    public void The_same_row_reads_the_same_from_every_file_and_as_a_program_gives_it()
    {
        folder.Write("a.gif", Gif(400, 200));
        const string objects = """{"ref":["a cat"],"bbox":[[40,50,80.5,150],[10,20]],"bbox_type":null,"image_id":null}""";
        var row = $$"""{"instruction":"<image>Find it","output":"<ref-object>: <bbox>, <bbox>","images":["a.gif"],"objects":{{objects}}}""";
        folder.Write("a.json", $"[{row}]");
        folder.Write("a.jsonl", row);
        folder.Write("a.csv", $"instruction,output,image,objects\n<image>Find it,\"<ref-object>: <bbox>, <bbox>\",a.gif,\"{objects.Replace("\"", "\"\"")}\"");
        folder.Write("b.jsonl", row.Replace("objects", "boxes"));
        folder.Write("c.jsonl", row.Replace("[40,50,80.5,150],[10,20]", "[100,250,201.25,750],[25,100]")
            .Replace("\"bbox_type\":null", "\"bbox_type\":\"norm1000\""));
        folder.Write("d.jsonl", row.Replace("[40,50,80.5,150],[10,20]", "[0.1,0.25,0.20125,0.75],[0.025,0.1]"));
        folder.Write("dataset_info.json", """
            {"b":{"file_name":"b.jsonl","columns":{"prompt":"instruction","response":"output","images":"images","objects":"boxes"}},
             "d":{"file_name":"d.jsonl","columns":{"prompt":"instruction","response":"output","images":"images","objects":"objects"},"bbox_type":"norm1"}}
            """);
        var given = Conversation("<image>Find it", new ObjectName("a cat"), ": ", new ObjectBox(40, 50, 80.5, 150), ", ", new ObjectPoint(10, 20));
        var expected = "<|object_ref_start|>a cat<|object_ref_end|>: <|box_start|>(100,250),(201,750)<|box_end|>, <|box_start|>(25,100)<|box_end|>";
        Assert.Equal(expected, Texts(Writer(GridObjects.InThousandths).Fill(given))[1]);
        foreach (var name in new[] { "a.json", "a.jsonl", "a.csv", "b", "c.jsonl", "d" })
        {
            using var data = DatasetLoader.Load(new DataOptions { Dataset = [name], DatasetDir = folder.Root });
            Assert.Equal(expected, Texts(Writer(GridObjects.InThousandths).Fill(data.Train[0]))[1]);
            Assert.Empty(data.Notices);
        }

        using var own = DatasetLoader.Load(new DataOptions
        {
            Dataset = ["given"], Given = new Dictionary<string, IReadOnlyList<Conversation>> { ["given"] = [given] },
        });
        Assert.Equal(expected, Texts(Writer(GridObjects.InThousandths).Fill(own.Train[0]))[1]);
    }

    [Theory]
    [InlineData("""{"ref":["a"],"bbox":[[1,2,3,4]]}""", "<bbox>", "the text holds 0 <ref-object> but objects.ref lists 1")]
    [InlineData("""{"ref":[],"bbox":[]}""", "<bbox>", "the text holds 1 <bbox> but objects.bbox lists 0")]
    [InlineData("""{"bbox":[[1,2,3]]}""", "<bbox>", "objects.bbox[0] must be four numbers [x1, y1, x2, y2], or two of a point [x, y], not [1,2,3]")]
    [InlineData("""{"bbox":[[1,2,"3",4]]}""", "<bbox>", "objects.bbox[0] must hold numbers, not \"3\"")]
    [InlineData("""{"bbox":[1,2,3,4]}""", "<bbox>", "objects.bbox[0] must be four numbers")]
    [InlineData("""{"bbox":[[1,2]],"bbox_type":"pixels"}""", "<bbox>", "objects.bbox_type is 'pixels'; it must be real, norm1, norm1000")]
    [InlineData("""{"bbox":[[1,2]],"image_id":[0,0]}""", "<bbox>", "objects.image_id has 2 numbers where bbox has 1")]
    [InlineData("""{"bbox":[[1,2]],"image_id":[0.5]}""", "<bbox>", "objects.image_id[0] must be the number of an image, from 0, not 0.5")]
    [InlineData("""{"bbox":[[1,2]],"boxes":[[1,2]]}""", "<bbox>", "objects: 'boxes' is not known; it may have ref, bbox, bbox_type, image_id")]
    [InlineData("""{"ref":[1],"bbox":[]}""", "<ref-object>", "objects.ref[0] must be text, not a number")]
    public void A_row_whose_objects_are_wrong_is_refused(string objects, string answer, string reason) =>
        Assert.Contains(reason, Refusal(objects, answer));

    [Theory]
    [InlineData("""{"bbox":[[1,2]],"image_id":[1]}""", "the point [1, 2] is in image 1, and there are 1, counted from 0")]
    [InlineData("""{"bbox":[[10,10,450,100]]}""", "the box [10, 10, 450, 100] is outside its image: x is 450 where 400 ends it, which has 400 x 200 pixels")]
    [InlineData("""{"bbox":[[10,-9,20,100]]}""", "y is -9 where 200 ends it")]
    [InlineData("""{"bbox":[[0.1,0.2,0.5,1]]}""", "is smaller than a pixel: numbers from 0 to 1 need bbox_type norm1")]
    [InlineData("""{"bbox":[[10,20,30,40]],"bbox_type":"norm1"}""", "x is 10 where 1 ends it")]
    [InlineData("""{"bbox":[[1100,20]],"bbox_type":"norm1000"}""", "x is 1100 where 1000 ends it")]
    public void A_place_that_is_not_in_its_image_is_refused_with_the_row(string objects, string reason)
    {
        using var data = Data(objects, "<bbox>");
        var error = Assert.Throws<BadSampleException>(() => Writer(GridObjects.InPixels).Fill(data.Train[0]));
        Assert.Contains(reason, error.Sample.Reason);
        Assert.Equal(("d.jsonl", 1), (error.Sample.Dataset, error.Sample.Row));
    }

    [Fact]
    public void What_lies_a_little_outside_is_moved_to_the_edge_and_corners_are_put_in_order()
    {
        using var data = Data("""{"bbox":[[401.5,-1,100,202]]}""", "<bbox>");
        Writer(GridObjects.InThousandths).Fill(data.Train[0], out var places);
        Assert.Equal(new ObjectBox(100, 0, 400, 200), places[0].Place);
        Assert.Equal([250, 0, 1000, 1000], places[0].Numbers);
    }

    [Fact]
    public void Rows_without_objects_keep_their_marks_as_text_and_annotations_that_no_text_asks_for_are_told()
    {
        folder.Write("a.gif", Gif(400, 200));
        folder.Write("d.jsonl", """
            {"instruction":"<image>Q","output":"Write <bbox> here","images":["a.gif"]}
            {"instruction":"<image>Q","output":"A","images":["a.gif"],"objects":{"ref":["x"],"bbox":[[1,2,3,4]]}}
            {"instruction":"<image>Q","output":"A <bbox>","images":["a.gif"],"objects":["x"]}
            """);
        using var data = DatasetLoader.Load(new DataOptions { Dataset = ["d.jsonl"], DatasetDir = folder.Root });
        Assert.Contains("'objects'", Assert.Single(data.Notices));
        Assert.Equal(3, data.Train.Count);
        for (var i = 0; i < 3; i++)
        {
            Assert.Same(data.Train[i].Messages[1].Parts[0].GetType(), typeof(Text));
            Assert.False(ObjectText.IsNeeded(data.Train[i]));
        }
    }

    [Fact]
    public void Each_family_writes_its_own_form_and_one_without_a_form_says_so()
    {
        var row = Given(400, 200, new ObjectName("a \"cat\""), new ObjectBox(40, 50, 80, 150), "\n", new ObjectPoint(10, 20));
        Assert.Equal("<ref>a \"cat\"</ref><box>100 250 200 750</box>\n<point>25 100</point>", Texts(Writer(MiniCpmVProcessor.Form).Fill(row))[1]);
        Assert.Equal(
            "```json\n[\n\t{\"bbox_2d\": [100, 250, 200, 750], \"label\": \"a \\\"cat\\\"\"},\n"
            + "\t{\"point_2d\": [25, 100], \"label\": \"a \\\"cat\\\"\"}\n]\n```",
            Texts(Writer(GridObjects.InThousandths, new DataOptions { BboxFormat = ObjectFormat.Json }).Fill(row))[1]);
        Assert.Equal("a \"cat\"[39, 49, 78, 147]\n[10, 20]", Texts(Writer(
            GridObjects.InThousandths, new DataOptions { BboxFormat = ObjectFormat.New, NormBbox = BoxScale.None }).Fill(row))[1]);
        var within = Given(400, 200, "See ", new ObjectName("it"), " ", new ObjectBox(40, 50, 80, 150), ".");
        Assert.Equal("See {\"bbox_2d\": [100, 250, 200, 750], \"label\": \"it\"}.", Texts(Writer(
            GridObjects.InThousandths, new DataOptions { BboxFormat = ObjectFormat.Json }).Fill(within))[1]);
        Assert.Contains("Some has no published form", Assert.Throws<BadSampleException>(() => Writer(null).Fill(row)).Sample.Reason);
        Assert.Contains("bbox_format: json is not a form of Some, which writes <box>1 2 3 4</box>", Assert.Throws<BadSampleException>(
            () => Writer(MiniCpmVProcessor.Form, new DataOptions { BboxFormat = ObjectFormat.Json }).Fill(row)).Sample.Reason);
    }

    [Fact]
    public void A_check_of_the_data_shows_the_text_and_both_coordinates()
    {
        folder.Write("a.gif", Gif(400, 200));
        folder.Write("d.jsonl", """
            {"instruction":"<image>Q","output":"A","images":["a.gif"]}
            {"instruction":"<image>Where is <ref-object>?","output":"<bbox>","images":["a.gif"],"objects":{"ref":["it"],"bbox":[[40,50,80,150]]}}
            {"instruction":"<image>Where?","output":"<bbox>","images":["a.gif"],"objects":{"bbox":[[40,50,80,350]]}}
            """);
        var config = TrainConfig.Parse(
            $"model_name_or_path: {Model}\ndataset: d.jsonl\ndataset_dir: {folder.Root}\nstage: sft\n", "c.yaml", [], ConfigUse.Data);
        var report = DataVerb.Check(config, 0, CancellationToken.None);
        Assert.Contains("(39,49),(78,147)", string.Concat(report.Example.Select(span => span.Text)));
        Assert.Contains("y is 350 where 200 ends it", Assert.Single(report.Rejected).Reason);
        using var text = new StringWriter();
        DataVerb.Render(AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(text) }), report, 20);
        Assert.Contains("box in image 0 (400 x 200): 40, 50, 80, 150 -> 39, 49, 78, 147 of 392 x 196", text.ToString());
    }

    private string Refusal(string objects, string answer)
    {
        try
        {
            Data(objects, answer).Dispose();
            return "it was taken";
        }
        catch (ConfigException e)
        {
            return e.Message;
        }
    }

    private LoadedData Data(string objects, string answer)
    {
        folder.Write("a.gif", Gif(400, 200));
        folder.Write("d.jsonl", $$"""{"instruction":"<image>Q","output":"A {{answer}}","images":["a.gif"],"objects":{{objects}}}""");
        return DatasetLoader.Load(new DataOptions { Dataset = ["d.jsonl"], DatasetDir = folder.Root });
    }

    private ConversationSet Load(IEnumerable<string> rows)
    {
        folder.Write("rows.jsonl", string.Join('\n', rows));
        return DatasetLoader.Load(new DataOptions { Dataset = ["rows.jsonl"], DatasetDir = folder.Root }).Train;
    }

    private string Row(JsonNode golden)
    {
        var images = golden["sizes"]!.AsArray().Select(size =>
        {
            var name = $"{size![0]}x{size[1]}.gif";
            folder.Write(name, Gif((int)size[0]!, (int)size[1]!));
            return (JsonNode)name;
        });
        return new JsonObject
        {
            ["messages"] = new JsonArray(
                new JsonObject { ["role"] = "user", ["content"] = golden["texts"]![0]!.DeepClone() },
                new JsonObject { ["role"] = "assistant", ["content"] = golden["texts"]![1]!.DeepClone() }),
            ["images"] = new JsonArray([.. images]),
            ["objects"] = golden["objects"]!.DeepClone(),
        }.ToJsonString();
    }

    private static Conversation Given(int width, int height, params Part[] answer) => new(
    [
        Message.User(Image.FromBytes(Gif(width, height)), "Q"), Message.Assistant(answer),
    ]);

    private Conversation Conversation(string question, params Part[] answer) => new(
    [
        Message.User(Image.FromFile(folder.File("a.gif")), question["<image>".Length..]), Message.Assistant(answer),
    ]);

    private static ObjectForm FormOf(string template) => template switch
    {
        "qwen2_5_vl" => GridObjects.InPixels,
        _ => GridObjects.InThousandths,
    };

    private static ObjectText Writer(ObjectForm? form, DataOptions? options = null) =>
        new(form, "Some", new Qwen2VlMedia(Qwen2VlImageProcessor.Load(Model, new PreResize())), options ?? new DataOptions());

    private static List<string> Texts(Conversation conversation) => [.. conversation.Messages.Select(Placeholders.Join)];

    /// <summary>As much of a picture as tells its size.</summary>
    private static byte[] Gif(int width, int height)
    {
        byte[] bytes = [.. "GIF89a"u8, .. new byte[7], 0x2C, .. new byte[9], 8, 0, 0x3B];
        foreach (var (at, value) in new[] { (6, width), (8, height), (18, width), (20, height) })
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(at), (ushort)value);
        }

        return bytes;
    }
}
