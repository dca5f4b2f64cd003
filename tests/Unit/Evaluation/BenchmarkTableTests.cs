using System.Text;
using System.Text.Json.Serialization;
using Fovea.Evaluation;
using Fovea.Evaluation.Quick;
using Parquet.Serialization;

namespace Fovea.Tests.Unit.Evaluation;

/// <summary>The tables that benchmarks are read from, what is asked, and what is said of bad ones.</summary>
public sealed class BenchmarkTableTests : IDisposable
{
    private static readonly byte[] Png = File.ReadAllBytes(TestFiles.Golden("qwen2_5_vl_tiny/data/images/008_0.png"));
    private static readonly string Base64 = Convert.ToBase64String(Png);
    private readonly TempFolder folder = new();
    private readonly string? cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");

    public BenchmarkTableTests() => Environment.SetEnvironmentVariable("XDG_CACHE_HOME", Path.Combine(folder.Root, "cache"));

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("XDG_CACHE_HOME", cache);
        folder.Dispose();
    }

    [Fact]
    public void Images_of_a_table_are_read_once_and_shared()
    {
        folder.Write("pictures/a.png", Png);
        var path = folder.Write(
            "t.tsv", $"index\timage\tquestion\tanswer\n5\t6\tq5\tx\n6\t{Base64}\tq6\ty\n7\t\"['{Base64}', '{Base64}']\"\tq7\tz\n8\t\tq8\tz\n");
        for (var time = 0; time < 2; time++)
        {
            var items = Read("chartqa", path);
            Assert.Equal(["5", "6", "7", "8"], items.Select(item => item.Id));
            Assert.Equal([1, 1, 2, 0], items.Select(item => Pictures(item).Count));
            Assert.All(items.SelectMany(Pictures), picture => Assert.Equal(Png, picture.ReadBytes()));
            Assert.StartsWith(Path.Combine(folder.Root, "cache", "fovea", "benchmarks"), Pictures(items[0])[0].Path, StringComparison.Ordinal);
            Assert.Equal(Pictures(items[1]), Pictures(items[0]));
        }

        Assert.All(Read("chartqa", path, new BenchmarkInput { ScoresOnly = true }), item => Assert.Empty(Pictures(item)));
        var named = folder.Write("n.tsv", "index\timage_path\tquestion\tanswer\n1\ta.png\tq\tx\n");
        var there = Read("chartqa", named, new BenchmarkInput { Images = folder.File("pictures") });
        Assert.Equal(Path.Combine(folder.Root, "pictures", "a.png"), Pictures(there[0])[0].Path);
        var error = Assert.Throws<ConfigException>(() => Read("chartqa", named));
        Assert.Equal($"{named}, line 2: the image {folder.File("a.png")} does not exist; name the folder of the images", error.Message);
        Assert.Single(Read("chartqa", named, new BenchmarkInput { ScoresOnly = true }));
    }

    [Fact]
    public void Every_benchmark_asks_as_its_prompt_says()
    {
        const string letter = "Answer with the option's letter from the given choices directly.";
        const string word = "Answer the question using a single word or phrase.";
        string Options() => Table("index\timage\tquestion\thint\tA\tB\tanswer\tsplit", $"1\t{Base64}\tWhy?\tLook.\tred\t3\tB\tdev");
        Assert.Equal($"[image]Look. Why? There are several options:\nA. red\nB. 3\n\n{letter}", Asked("mmbench", Options()));
        Assert.Equal($"[image]Context: Look.\nWhy?\nA. red\nB. 3\n{letter}", Asked("scienceqa", Options()));
        Assert.Equal($"[image]Why?\nA. red\nB. 3\n\n{letter}", Asked("mmmu", Options()));
        Assert.Equal($"[image]Why?\n\n{word}", Asked("mmmu", Table("index\timage\tquestion\tA\tanswer", $"1\t{Base64}\tWhy?\t\t7")));
        Assert.Equal(
            $"See [image] and [image].\nA. [image]\nB. no\n\n{letter}",
            Asked("mmmu", Table("index\timage\tquestion\tA\tB\tanswer", $"1\t['{Base64}', '{Base64}']\tSee <image 2> and <image 1>.\t<image 1>\tno\tA")));
        Assert.Equal(
            $"[image]Is it?\n{word}",
            Asked("mme", Table("index\timage\timage_path\tcategory\tquestion\tanswer", $"1\t{Base64}\ta.png\tOCR\tIs it? Please answer yes or no.\tYes")));
        Assert.Equal($"[image]Is it?\n{word}", Asked("pope", Table("index\timage\tcategory\tquestion\tanswer", $"1\t{Base64}\trandom\tIs it?\tYes")));
        string Plain() => Table("index\timage\tcategory\tquestion\tanswer", $"1\t{Base64}\tx\tHow many?\t7");
        Assert.Equal("[image]How many?\nAnswer the question with a single word.", Asked("chartqa", Plain()));
        Assert.Equal($"[image]How many?\n{word}", Asked("docvqa", Plain()));
        Assert.Equal("[image]How many?", Asked("ocrbench", Plain()));
        Assert.Equal("[image]Q: How many? A:", Asked("docvqa", Plain(), "Q: {question} A:"));
        Assert.Equal("[image]Find it.", Asked("refcoco", Table("index\timage\tquestion\tx1\ty1\tx2\ty2", $"1\t{Base64}\tFind it.\t1\t2\t3\t4")));
        Assert.Contains("has no {question}", Assert.Throws<ConfigException>(() => Asked("docvqa", Plain(), "Q:")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tables_of_Hugging_Face_are_read()
    {
        Face[] rows =
        [
            new()
            {
                Id = "validation_Art_1", QuestionId = "1", Question = "See <image 1>", Image = new() { Bytes = Png, Path = "a.png" },
                ImageOne = new() { Bytes = Png },
                Answers = ["x", "y"], Answer = "B", Options = "['red', \"it's\"]", Category = "OCR",
            },
            new()
            {
                Id = "validation_Art_2", QuestionId = "2", Question = "And?", Answers = ["z"], Answer = "A", Options = "['a', 'b']", Category = "OCR",
                ImageOne = new() { Bytes = Png },
            },
        ];
        var path = folder.File("validation-00000-of-00001.parquet");
        await ParquetSerializer.SerializeAsync(rows, path);

        var documents = Read("docvqa", path);
        Assert.Equal(["1", "2"], documents.Select(item => item.Id));
        Assert.Equal("x | y", documents[0].Expected);
        Assert.Equal(Png, Pictures(documents[0])[0].ReadBytes());

        var exams = Read("mmmu", path);
        Assert.Equal("Art", exams[0].Groups["subject"]);
        Assert.Equal("validation", exams[0].Groups["split"]);
        Assert.Equal(
            "See [image]\nA. red\nB. it's\n\nAnswer with the option's letter from the given choices directly.",
            string.Concat(exams[0].Turns[0].Parts.Select(Show)));

        var school = Assert.Single(Read("scienceqa", path, new BenchmarkInput { ScoresOnly = true }), item => item.Id == "1");
        Assert.Equal("B", school.Expected);

        // A rectangle is left, top, width and height here, and each phrase asks once.
        Place[] places =
        [
            new() { QuestionId = "1", Answer = ["x", "y"], Box = [10, 20, 30, 40], Image = new() { Bytes = Png } },
            new() { QuestionId = "2", Answer = ["z"], Box = [0, 0, 1, 1], Image = new() { Bytes = Png } },
        ];
        path = folder.File("val.parquet");
        await ParquetSerializer.SerializeAsync(places, path);
        var phrases = Read("refcoco", path);
        Assert.Equal(["1-1", "1-2", "2"], phrases.Select(item => item.Id));
        Assert.Equal("[10, 20, 40, 60]", phrases[0].Expected);
        Assert.EndsWith("this sentence describes: y", Show(phrases[1].Turns[0].Parts[^1]), StringComparison.Ordinal);
        Assert.Equal([phrases[0].Expected], Read("refcoco", path, new BenchmarkInput { ScoresOnly = true }).Select(item => item.Expected).Distinct().Take(1));
    }

    [Fact]
    public void Official_json_files_are_read()
    {
        folder.Write("documents/a.png", Png);
        var documents = Read("docvqa", folder.Write("val_v1.0.json", """
            {"dataset_name": "docvqa", "data": [{"questionId": 4, "question": "Who?", "image": "documents/a.png", "answers": ["I", "me"]}]}
            """));
        Assert.Equal(("4", "I | me", 1), (documents[0].Id, documents[0].Expected, Pictures(documents[0]).Count));
        var charts = Read("chartqa", folder.Write("test_human.json", """[{"imgname": "documents/a.png", "query": "How?", "label": "7"}]"""));
        Assert.Equal(("1", "7", 1), (charts[0].Id, charts[0].Expected, Pictures(charts[0]).Count));
        var objects = Read("pope", folder.Write("coco_pope_random.json", """
            {"question_id": 1, "image": "documents/a.png", "text": "Is there?", "label": "yes"}
            {"question_id": 2, "image": "documents/a.png", "text": "Is there?", "label": "no"}
            """));
        Assert.Equal(["Yes", "No"], objects.Select(item => item.Expected));
        var phrases = Read("refcoco", folder.Write("refcoco_val.jsonl", """
            {"image": "documents/a.png", "sent": "the cup", "bbox": [10.5, 20, 30, 40], "height": 100, "width": 200}
            """));
        Assert.Equal(("the cup", "[10.5, 20, 30, 40]"), (phrases[0].Question, phrases[0].Expected));
    }

    [Fact]
    public void A_folder_must_say_which_table_is_meant()
    {
        var first = Table("index\tquestion\tanswer", "1\tq\tx");
        Assert.Single(Read("docvqa", folder.Root));
        folder.Write("other.tsv", File.ReadAllBytes(first));
        Refused($"{folder.Root} has several tables: other.tsv, table.tsv; name one of them, or a pattern such as", folder.Root);
        Assert.Single(Read("docvqa", Path.Combine(folder.Root, "oth*")));
        Refused("has no file that ends in .tsv", Directory.CreateDirectory(folder.File("empty")).FullName);
        Refused("docvqa needs data", null);
        Refused("cannot be read: it is missing", folder.File("no.tsv"));
        Refused("is a file that ends in", folder.Write("t.xlsx", "x"));

        static void Refused(string expected, string? data) => Assert.Contains(
            expected, Assert.Throws<ConfigException>(() => new DocVqaBenchmark().Read(new BenchmarkInput { Data = data })).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("docvqa", "index\tquestion\tanswer\n1\tq\n", "line 2: 2 fields where the first line names 3")]
    [InlineData("docvqa", "index\tquestion\tanswer\n1\t\"q\nr\"\tx\n2\t\"q\"r\tx\n", "line 4: text behind the closing quote of field 2")]
    [InlineData("docvqa", "index\tquestion\tanswer\n1\tq\tx\n2\t\"q\tx\n", "the quote that opens in line 3 is never closed")]
    [InlineData("docvqa", "index\tquestion\tquestion\n", "its first line names the column question twice")]
    [InlineData("docvqa", "index,question,answer\n", "the columns of a .tsv are parted by tabs")]
    [InlineData("docvqa", "", "is empty; its first line must name the columns")]
    [InlineData("docvqa", "index\tquestion\tanswer\n", "has no rows")]
    [InlineData("docvqa", "index\tquestion\tanswer\n1\t\tx\n2\tq\tnan\n",
        "line 2: question is missing; the row has index, question, answer|line 3: answers or answer is missing")]
    [InlineData("docvqa", "index\tquestion\tanswer\n1\tq\tx\n1\tr\ty\n", "line 3: the id 1 stands twice")]
    [InlineData("docvqa", "index\timage\tquestion\tanswer\n1\t9\tq\tx\n", "line 2: takes the image of row '9', which has none")]
    [InlineData("docvqa", "index\timage\tquestion\tanswer\n1\tdata:image/png;base64,abc\tq\tx\n", "line 2: image of 3 characters is not valid base64")]
    [InlineData("docvqa", "index\timage\tquestion\tanswer\n1\tdata:image/png;base64,aGVsbG8=\tq\tx\n",
        "line 2: image|is not a JPEG, PNG, WebP or GIF file")]
    [InlineData("pope", "index\tquestion\tanswer\n1\tq\tmaybe\n", "line 2: the answer must be yes or no, not maybe")]
    [InlineData("mme", "index\tquestion\tanswer\tcategory\n1\tq\tyes\tOCR\n", "line 2: question_id or image_path must name the image")]
    [InlineData("mmbench", "index\tquestion\tA\tB\tanswer\n1\tq\tx\ty\tC\n", "line 2: the answer 'C' is none of the options A, B")]
    [InlineData("mmbench", "index\tquestion\tA\tB\tanswer\n1\tq\tx\ty\t\n",
        "line 2: answer is missing: a split whose answers are kept secret cannot be scored here")]
    [InlineData("mmbench", "index\tquestion\tA\tB\tanswer\nx\tq\tx\ty\tA\n", "line 2: index must be a number, not x")]
    [InlineData("refcoco", "index\tquestion\tx1\ty1\tx2\ty2\n1\tq\t1\t2\t3\t4\n", "line 2: width and height must give the size of the image in pixels")]
    [InlineData("refcoco", "index\tquestion\tbbox\twidth\theight\n1\tq\t[1, 2]\t9\t9\n", "line 2: bbox must be four numbers, not [1, 2]")]
    [InlineData("scienceqa", "index\tquestion\tA\tanswer\n1\tq\tx\tA\n", "has no row that scienceqa asks")]
    public void A_bad_table_is_answered_with_its_place(string name, string text, string expected)
    {
        var path = folder.Write("table.tsv", text);
        var error = Assert.Throws<ConfigException>(() => Read(name, path));
        Assert.All(expected.Split('|'), part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("t.jsonl", "{\"question\": \"q\", \"answer\": \"x\"}\n[1]\n", "row 2: a list, where an object is expected")]
    [InlineData("t.jsonl", "{\"question\": \"q\", \"answer\": \"x\"}\n{\"question\": 1,\n", "row 2 line 2")]
    [InlineData("t.json", "{\"data\": [{\"question\": \"q\"}]}", "row 1: answers or answer is missing; the row has question")]
    public void Bad_json_is_answered_with_its_place(string name, string text, string expected)
    {
        var path = folder.Write(name, text);
        Assert.Contains(expected, Assert.Throws<ConfigException>(() => Read("docvqa", path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_that_is_not_UTF8_is_refused_with_its_place()
    {
        var path = folder.Write("table.tsv", [.. "index\tquestion\tanswer\n1\tq"u8, 0xff, .. "\tx\n"u8]);
        Assert.Contains("line 2", Assert.Throws<ConfigException>(() => Read("docvqa", path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_large_table_is_read_across_its_buffers()
    {
        var text = new StringBuilder("\tindex\tquestion\tanswer\r\n");
        for (var i = 0; i < 5000; i++)
        {
            text.Append($"{i}\t{i}\t").Append(i % 2 == 0 ? $"\"q\r\n \"\"{i}\"\"\t\"\t" : $"q{i}\t").Append('x', (i % 97) + 1).Append("\r\n");
        }

        var items = Read("docvqa", folder.Write("table.tsv", text.ToString()));
        Assert.Equal(5000, items.Count);
        Assert.All(Enumerable.Range(0, 5000), i => Assert.Equal(
            (i.ToString(), i % 2 == 0 ? $"q\r\n \"{i}\"\t" : $"q{i}", new string('x', i % 97 + 1)), (items[i].Id, items[i].Question, items[i].Expected)));
    }

    private string Table(string head, string row) => folder.Write("table.tsv", $"{head}\n{row}\n");

    private static string Asked(string name, string path, string? prompt = null) =>
        string.Concat(Read(name, path, new BenchmarkInput { Prompt = prompt })[0].Turns[0].Parts.Select(Show));

    private static string Show(Part part) => part is Text text ? text.Value : "[image]";

    private static IReadOnlyList<BenchmarkItem> Read(string name, string path, BenchmarkInput? input = null) =>
        QuickBenchmarks.All.Single(one => one.Name == name).Read((input ?? new BenchmarkInput()) with { Data = path });

    private static List<MediaSource> Pictures(BenchmarkItem item) => [.. item.Turns[0].Parts.OfType<Image>().Select(image => image.Source)];

    private sealed class Face
    {
        [JsonPropertyName("id")]
        public string? Id { get; set; }

        [JsonPropertyName("question_id")]
        public string? QuestionId { get; set; }

        [JsonPropertyName("question")]
        public string? Question { get; set; }

        [JsonPropertyName("answers")]
        public List<string>? Answers { get; set; }

        [JsonPropertyName("answer")]
        public string? Answer { get; set; }

        [JsonPropertyName("options")]
        public string? Options { get; set; }

        [JsonPropertyName("category")]
        public string? Category { get; set; }

        [JsonPropertyName("image")]
        public FacePicture? Image { get; set; }

        [JsonPropertyName("image_1")]
        public FacePicture? ImageOne { get; set; }
    }

    private sealed class Place
    {
        [JsonPropertyName("question_id")]
        public string? QuestionId { get; set; }

        [JsonPropertyName("answer")]
        public List<string>? Answer { get; set; }

        [JsonPropertyName("bbox")]
        public List<double>? Box { get; set; }

        [JsonPropertyName("image")]
        public FacePicture? Image { get; set; }
    }

    private sealed class FacePicture
    {
        [JsonPropertyName("bytes")]
        public byte[]? Bytes { get; set; }

        [JsonPropertyName("path")]
        public string? Path { get; set; }
    }
}
