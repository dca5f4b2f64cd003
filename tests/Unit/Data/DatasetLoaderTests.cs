using Fovea.Data.Datasets;

namespace Fovea.Tests.Unit.Data;

public sealed class DatasetLoaderTests : IDisposable
{
    private const string TwoTurns =
        """{"conversations":[{"from":"human","value":"Q1"},{"from":"gpt","value":"A1"},{"from":"human","value":"Q2"},{"from":"gpt","value":"A2"}]}""";

    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Alpaca_rows_bring_history_system_and_input()
    {
        Info("""{"a":{"file_name":"a.json","columns":{"prompt":"instruction","query":"input","response":"output","system":"sys","history":"before"}}}""");
        folder.Write("a.json", """
            [{"instruction":"Add","input":"1 2","output":"3","sys":"Be brief.","before":[["Hi","Hello"]]},
             {"instruction":"Go","input":"","output":"Gone"}]
            """);
        using var data = Load("a");
        Assert.Equal("Be brief.", data.Train[0].System());
        Assert.Equal([("Hi", "Hello"), ("Add\n1 2", "3")], data.Train[0].Turns());
        Assert.Null(data.Train[1].System());
        Assert.Equal([("Go", "Gone")], data.Train[1].Turns());
        Assert.Equal(("a", 2), data.Train.Origin(1));
    }

    [Fact]
    public void Columns_that_an_entry_does_not_name_are_not_read()
    {
        Info("""{"a":{"file_name":"a.json","columns":{"prompt":"instruction","response":"output"}}}""");
        folder.Write("a.json", """[{"instruction":"Q","input":"left out","output":"A","system":"left out"}]""");
        using var data = Load("a");
        Assert.Equal([("Q", "A")], data.Train[0].Turns());
        Assert.Null(data.Train[0].System());
    }

    [Fact]
    public void Sharegpt_and_openai_rows_are_read_with_their_tags_and_system()
    {
        Info("""{"s":{"file_name":"s.json","formatting":"sharegpt"},"o":{"file_name":"o.jsonl","formatting":"openai"}}""");
        folder.Write("s.json", "[" + TwoTurns + "]");
        folder.Write("o.jsonl", """{"messages":[{"role":"system","content":"S"},{"role":"user","content":"Q"},{"role":"assistant","content":"A"}]}""");
        using var data = Load("s", "o");
        Assert.Equal([("Q1", "A1"), ("Q2", "A2")], data.Train[0].Turns());
        Assert.Equal("S", data.Train[1].System());
        Assert.Equal([("Q", "A")], data.Train[1].Turns());
    }

    [Fact]
    public void Files_given_by_path_are_recognised_by_their_fields()
    {
        var shareGpt = folder.Write("direct/s.json", "[" + TwoTurns + "]");
        folder.Write("i.png", "x");
        folder.Write("o.jsonl", """{"messages":[{"role":"user","content":"<image>Q"},{"role":"assistant","content":"A"}],"images":["i.png"]}""");
        folder.Write("a.json", """[{"instruction":"Q","output":"A"}]""");
        using var data = Load(shareGpt, "o.jsonl", "a.json");
        Assert.Equal(2, data.Train[0].Turns().Count);
        Assert.Equal([Path.Combine(folder.Root, "i.png")], data.Train[1].Images.Select(image => image.Name));
        Assert.Equal([("Q", "A")], data.Train[2].Turns());
    }

    [Fact]
    public void A_folder_is_read_file_after_file_and_max_samples_cuts_each_data_set()
    {
        Info("""{"f":{"file_name":"many"},"g":{"file_name":"g.json"}}""");
        folder.Write("many/2.jsonl", Alpaca(3));
        folder.Write("many/1.jsonl", Alpaca(0) + "\n" + Alpaca(1) + "\n" + Alpaca(2));
        folder.Write("g.json", "[" + Alpaca(10) + "," + Alpaca(11) + "]");
        using var all = Load("f", "g");
        Assert.Equal(["A0", "A1", "A2", "A3", "A10", "A11"], Answers(all.Train));
        using var cut = DatasetLoader.Load(Options("f", "g") with { MaxSamples = 1 });
        Assert.Equal(["A0", "A10"], Answers(cut.Train));
    }

    [Fact]
    public void Every_unusable_row_is_reported_at_once_with_its_reason()
    {
        Info("""
            {"bad":{"file_name":"bad.jsonl","formatting":"sharegpt","columns":{"messages":"messages","images":"images","tools":"tools","videos":"videos"},
            "tags":{"role_tag":"role","content_tag":"content","user_tag":"user","assistant_tag":"assistant"}}}
            """);
        folder.Write("there.png", "x");
        (string Row, string Reason)[] rows =
        [
            (Messages("user", "Q", "assistant", "A"), ""),
            (Messages("user", "<image><image>Q", "assistant", "A", ",\"images\":[\"there.png\"]"), "holds 2 <image> but the row lists 1"),
            (Messages("assistant", "A", "user", "Q"), "message 1 is by 'assistant' where 'user' must speak"),
            (Messages("user", "Q", "assistant", "  "), "the answer is empty"),
            (Messages("user", "<image>", "assistant", "A", ",\"images\":[\"gone.png\"]"), "image 'gone.png' does not exist"),
            (Messages("user", "Q", "function_call", "f()"), "a tool call or its result, which the template does not write: set template"),
            (Messages("user", "Q", "bot", "A"), "by 'bot'; known roles are 'user', 'assistant'"),
            ("{\"messages\":[{\"role\":\"user\",\"content\":\"Q\"}]}", "ends with a question"),
            ("{\"messages\":[{\"role\":\"user\",\"content\":5},{\"role\":\"assistant\",\"content\":\"A\"}]}", "message 1: content must be text, not a number"),
            ("{\"other\":[]}", "needs a list of messages in the field 'messages'"),
            ("[1]", "is a list, not a JSON object"),
            ("{\"messages\":", "is not valid JSON"),
            (Messages("user", "Q", "assistant", "A", ",\"tools\":\"[{}]\""), "has tools"),
            (Messages("user", "<video>", "assistant", "A", ",\"videos\":[\"v.mp4\"]"), "has videos"),
            (Messages("user", "Q \\ud800", "assistant", "A"), "half a surrogate pair"),
            (Messages("user", "<image>Q", "assistant", "A", ",\"images\":[7]"),
                "images[0] must be text (a path, a data URI or base64) or an object with path or bytes, not a number"),
        ];
        folder.Write("bad.jsonl", string.Join('\n', rows.Select(r => r.Row)));
        var error = Assert.Throws<ConfigException>(() => Load("bad"));
        for (var i = 1; i < rows.Length; i++)
        {
            Assert.StartsWith($"dataset 'bad', row {i + 1}: ", error.Problems[i - 1]);
            Assert.Contains(rows[i].Reason, error.Problems[i - 1]);
        }

        Assert.Contains("on_bad_sample: skip", error.Problems[^1]);
        Assert.Equal(rows.Length, error.Problems.Count);
        using var skipped = DatasetLoader.Load(Options("bad") with { OnBadSample = BadSamplePolicy.Skip });
        Assert.Equal(1, skipped.Train.Count);
        Assert.Equal(rows.Length - 1, skipped.Rejected.Count);
        Assert.Equal(new DatasetSummary("bad", false, rows.Length, rows.Length - 1), Assert.Single(skipped.Summaries));
    }

    [Fact]
    public void Entries_that_cannot_serve_are_all_refused_by_name_with_a_remedy()
    {
        Info("""
            {"hub":{"hf_hub_url":"x/y"},"script":{"script_url":"s.py"},"pairs":{"file_name":"p.json","ranking":true},
             "form":{"file_name":"p.json","formatting":"xml"},"gone":{"file_name":"gone.json"},"table":{"file_name":"t.xlsx"}}
            """);
        folder.Write("p.json", "[]");
        folder.Write("t.xlsx", "a,b");
        var error = Assert.Throws<ConfigException>(() => Load("hub", "script", "pairs", "form", "gone", "table", "nobody"));
        string[] expected =
        [
            "'hub': x/y is on a hub", "'script': script_url is not supported", "'pairs': ranking", "'form': formatting is 'xml'",
            "gone.json does not exist", "t.xlsx is none of .json, .jsonl, .csv, .parquet, .arrow and .tar; save it as .csv with UTF-8",
            "'nobody' is neither an entry",
        ];
        Assert.Equal(expected.Length, error.Problems.Count);
        Assert.All(expected.Zip(error.Problems), p => Assert.Contains(p.First, p.Second));
    }

    [Fact]
    public void A_missing_dataset_info_says_where_it_was_looked_for()
    {
        var error = Assert.Throws<ConfigException>(() => Load("x"));
        Assert.Contains(Path.Combine(folder.Root, "dataset_info.json"), error.Message);
        Assert.Contains("dataset_dir", error.Message);
    }

    [Fact]
    public void Evaluation_rows_are_split_off_as_the_datasets_library_does()
    {
        folder.Write("a.jsonl", string.Join('\n', Enumerable.Range(0, 10).Select(Alpaca)));
        using var share = DatasetLoader.Load(Options("a.jsonl") with { ValSize = 0.25 });
        Assert.Equal(["A5", "A6", "A0"], Answers(share.Eval!));
        Assert.Equal(["A7", "A3", "A2", "A4", "A9", "A1", "A8"], Answers(share.Train));
        using var count = DatasetLoader.Load(Options("a.jsonl") with { ValSize = 2 });
        Assert.Equal(["A5", "A6"], Answers(count.Eval!));
        Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options("a.jsonl") with { ValSize = 10 }));
        Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options("a.jsonl") with { ValSize = 2.5 }));
        var both = Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options("a.jsonl") with { ValSize = 2, EvalDataset = ["a.jsonl"] }));
        Assert.Contains("eval_dataset", both.Message);
    }

    private static string Alpaca(int i) => $"{{\"instruction\":\"Q{i}\",\"output\":\"A{i}\"}}";

    private static string Messages(string role1, string text1, string role2, string text2, string more = "") =>
        $"{{\"messages\":[{{\"role\":\"{role1}\",\"content\":\"{text1}\"}},{{\"role\":\"{role2}\",\"content\":\"{text2}\"}}]{more}}}";

    private static IEnumerable<string> Answers(ConversationSet set) => Enumerable.Range(0, set.Count).Select(i => set[i].Turns()[^1].Assistant);

    private void Info(string json) => folder.Write("dataset_info.json", json);

    private DataOptions Options(params string[] names) => new() { Dataset = names, DatasetDir = folder.Root };

    private LoadedData Load(params string[] names) => DatasetLoader.Load(Options(names));
}
