using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Running;

namespace Fovea.Tests.Unit.Cli;

/// <summary><c>fovea verify --url</c> against a server that has the same model, and against one that has something else.</summary>
public sealed class VerifyServerTests : NativeTest
{
    private static readonly string Folder = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private readonly TempFolder folder = new();
    private readonly VisionModel model;

    public VerifyServerTests() => model = VisionModel.LoadAsync(Folder, new() { Device = "cpu" }).GetAwaiter().GetResult();

    [Fact]
    public void Pictures_and_turns_arrive_and_equal_tokens_and_probabilities_are_found_equal()
    {
        using var server = new FakeChatServer(body => Choice(Ask(body)));
        var json = folder["result.json"];
        var (code, output, errors) = Verify("tiny", "--url", server.Url, "--json", json);
        Assert.True(code == 0, output + errors);
        Assert.Contains("tokens by their text (a server gives no ids", output, StringComparison.Ordinal);
        Assert.Equal(VerificationRows.BuiltIn.Count, server.Bodies.Count);
        foreach (var (row, body) in VerificationRows.BuiltIn.Zip(server.Bodies))
        {
            var asked = Read(body);
            Assert.Equal(row.Messages.Select(message => message.Role), asked.Messages.Select(message => message.Role));
            Assert.Equal(row.Messages.SelectMany(message => message.Parts.OfType<Text>()), asked.Messages.SelectMany(message => message.Parts.OfType<Text>()));
            Assert.Equal(Pictures(row), Pictures(asked));
        }

        Assert.Equal(2, VerificationRows.BuiltIn.Sum(row => Pictures(row).Count));
        var result = JsonNode.Parse(File.ReadAllText(json))!;
        Assert.Equal(VerificationRows.BuiltIn.Count, result["rows"]!.AsArray().Count);
        Assert.Equal(0, (int)result["different"]!);
        Assert.Equal(VerificationRows.BuiltIn.Count, (int)result["equal"]! + (int)result["near_ties"]!);
        Assert.True((int)result["tokens"]! >= 20, output);
        Assert.InRange((double)result["largest_difference"]!, 0, 1e-3);
    }

    [Fact]
    public void Rows_of_a_file_are_asked_without_their_answers_with_their_pictures_in_their_order()
    {
        File.Copy(TestFiles.Golden("qwen2_5_vl_tiny/data/images/001_0.png"), folder["a.png"]);
        File.Copy(TestFiles.Golden("images/decode/exif7.jpg"), folder["b.jpg"]);
        string[] rows =
        [
            """{"messages": [{"role": "user", "content": "<image>One?"}, {"role": "assistant", "content": "secret"}], "images": ["a.png"]}""",
            """{"messages": [{"role": "user", "content": "Two?<image>"}, {"role": "assistant", "content": "kept"}, """
                + """{"role": "user", "content": "Three?"}, {"role": "assistant", "content": "secret"}], "images": ["b.jpg"]}""",
            """{"messages": [{"role": "user", "content": "Four?"}, {"role": "assistant", "content": "secret"}]}""",
        ];
        var file = folder.Write("rows.jsonl", string.Join('\n', rows));
        using var server = new FakeChatServer(body => Choice(Ask(body)));
        var (code, output, errors) = Verify("tiny", "--url", server.Url + "/v1/", "--rows", file, "--limit", "2");
        Assert.True(code == 0, output + errors);
        var (first, second) = (server.Bodies.First(), server.Bodies.Last());
        Assert.Equal(2, server.Bodies.Count);
        Assert.All(server.Bodies, body => Assert.DoesNotContain("secret", body.GetRawText(), StringComparison.Ordinal));
        Assert.Equal(File.ReadAllBytes(folder["a.png"]), Assert.Single(Pictures(Read(first))));
        Assert.Equal(File.ReadAllBytes(folder["b.jpg"]), Assert.Single(Pictures(Read(second))));
        Assert.StartsWith(
            "data:image/jpeg;base64,", $"{second.GetProperty("messages")[0].GetProperty("content")[1].GetProperty("image_url").GetProperty("url")}",
            StringComparison.Ordinal);
        Assert.Equal([Role.User, Role.Assistant, Role.User], Read(second).Messages.Select(message => message.Role));
    }

    [Fact]
    public void Probabilities_that_differ_are_found_out_and_where_there_are_none_texts_are_compared()
    {
        using (var other = new FakeChatServer(body => Choice(Ask(body), by: 0.3)))
        {
            var json = folder["result.json"];
            var (code, output, _) = Verify("tiny", "--url", other.Url, "--json", json, "--limit", "3");
            Assert.Equal(1, code);
            Assert.Contains("the same token with another probability", output, StringComparison.Ordinal);
            var difference = JsonNode.Parse(File.ReadAllText(json))!["rows"]!.AsArray().Select(row => row!["difference"]).First(found => found is not null)!;
            Assert.Equal((double)difference["logprob_a"]! - 0.3, (double)difference["logprob_b"]!, 1e-3);
            Assert.Equal((string)difference["token_a"]!, (string)difference["token_b"]!);
        }

        using (var silent = new FakeChatServer(body => Choice(Ask(body), tokens: false)))
        {
            var (code, output, errors) = Verify("--url", silent.Url);
            Assert.True(code == 0, output + errors);
            Assert.Contains("texts alone", output, StringComparison.Ordinal);
            Assert.Equal("tiny", silent.Bodies.First().GetProperty("model").GetString()); // the first that it lists
        }

        using var shouting = new FakeChatServer(body => Choice(Ask(body), tokens: false, text: text => text + " and more"));
        var (failed, said, _) = Verify("--url", shouting.Url, "--limit", "1");
        Assert.Equal(1, failed);
        Assert.Contains("the texts differ after", said, StringComparison.Ordinal);
    }

    [Fact]
    public void A_server_that_fails_is_told_before_the_model_is_loaded()
    {
        using var server = new FakeChatServer(_ => null, models: """{"data": []}""");
        foreach (var words in new[] { new[] { "tiny", "--url", server.Url }, ["--url", server.Url], ["tiny", "--url", "http://127.0.0.1:9"] })
        {
            var (code, _, errors) = Verify(words);
            Assert.Equal(2, code);
            Assert.DoesNotContain("loading", errors, StringComparison.Ordinal);
        }

        Assert.Contains("500: it is broken", Verify("tiny", "--url", server.Url).Errors, StringComparison.Ordinal);
    }

    protected override void Cleanup()
    {
        model.DisposeAsync().AsTask().GetAwaiter().GetResult();
        folder.Dispose();
    }

    private static (int Code, string Output, string Errors) Verify(params string[] words) =>
        FoveaProcess.Run(["verify", Folder, .. words, "--cpu", "--max-new-tokens", "6"]);

    private static List<byte[]> Pictures(Conversation row) =>
        [.. row.Messages.SelectMany(message => message.Parts.OfType<Image>()).Select(image => image.Source.ReadBytes())];

    private static Conversation Read(JsonElement body) => new([.. body.GetProperty("messages").EnumerateArray().Select(message => new Message(
        message.GetProperty("role").GetString() switch { "system" => Role.System, "user" => Role.User, _ => Role.Assistant },
        message.GetProperty("content") is { ValueKind: JsonValueKind.String } text ? [new Text(text.GetString()!)]
            : [.. message.GetProperty("content").EnumerateArray().Select(Part)]))]);

    private static Part Part(JsonElement part) => part.GetProperty("type").GetString() == "text" ? new Text(part.GetProperty("text").GetString()!)
        : Image.FromBytes(Convert.FromBase64String(part.GetProperty("image_url").GetProperty("url").GetString()!.Split(',')[1]));

    private ChatAnswer Ask(JsonElement body) => model.AnswerAsync(Read(body).Messages, new GenerationOptions
    {
        MaxNewTokens = body.GetProperty("max_tokens").GetInt32(), Logprobs = true, TopLogprobs = body.GetProperty("top_logprobs").GetInt32(),
    }).GetAwaiter().GetResult();

    /// <summary>The answer as servers write it.</summary>
    /// <param name="by">Less likely than they are, by so much.</param>
    private string Choice(ChatAnswer answer, bool tokens = true, double by = 0, Func<string, string>? text = null) => new JsonObject
    {
        ["index"] = 0,
        ["message"] = new JsonObject { ["role"] = "assistant", ["content"] = text?.Invoke(answer.Text) ?? answer.Text },
        ["finish_reason"] = answer.Generation.Reason == StopReason.Finished ? "stop" : "length",
        ["logprobs"] = tokens ? new JsonObject
        {
            ["content"] = new JsonArray([.. answer.Generation.Logprobs.Select(token => new JsonObject
            {
                ["token"] = Decode(token.Id),
                ["logprob"] = token.Logprob - by,
                ["top_logprobs"] = new JsonArray(
                    [.. token.Top.Select(other => new JsonObject { ["token"] = Decode(other.Id), ["logprob"] = other.Logprob - by })]),
            })]),
        } : null,
    }.ToJsonString();

    private string Decode(int id) => model.Loaded.Prompts.Tokenizer.Decode([id]);
}
