using System.ClientModel;
using System.Text;
using System.Text.Json;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Models;

namespace Fovea.Tests.Unit.Serving;

/// <summary>The official .NET client against a served model, over a real port.</summary>
public sealed class OpenAiClientTests : NativeTest
{
    private readonly ServedApp app;
    private readonly ChatClient client;
    private readonly GenerationOptions greedy;

    public OpenAiClientTests()
    {
        app = ServedApp.Start(options => options.ApiKeys = ["secret", "other"]);
        client = Client("tiny");
        greedy = app.Server.Model.Generation with { DoSample = false, MaxNewTokens = 12 };
    }

    [Fact]
    public async Task An_answer_is_that_of_the_model_alone_and_under_load()
    {
        var asked = Enumerable.Range(0, 12).Select(i => $"What do you see? {new string('x', i)}").ToList();
        var together = await Task.WhenAll(asked.Select((text, i) => Ask(Client(i % 2 == 0 ? "tiny" : "tuned"), text, Options(seed: i % 3 == 0 ? i : null))));
        Assert.Equal(0, app.Server.Status.PagesInUse);
        for (var i = 0; i < asked.Count; i++)
        {
            var options = i % 3 == 0 ? greedy with { DoSample = true, Temperature = 0.8, Seed = (ulong)i } : greedy;
            var alone = await app.Server.Model.AnswerAsync(
                [Message.User(Image.FromFile(ServedApp.Picture), asked[i])], options with { Adapter = i % 2 == 0 ? null : "tuned" });
            Assert.Equal(alone.Text, together[i].Content[0].Text);
            Assert.Equal(alone.Generation.Ids.Count, together[i].Usage.OutputTokenCount);
            Assert.Equal(alone.Generation.PromptTokens, together[i].Usage.InputTokenCount);
        }
    }

    [Fact]
    public async Task A_stream_is_the_answer_with_its_usage()
    {
        var (text, usage, reason) = (new StringBuilder(), (ChatTokenUsage?)null, (ChatFinishReason?)null);
        var updates = 0;
        await foreach (var update in client.CompleteChatStreamingAsync([Question("What?")], Options()))
        {
            updates++;
            text.Append(string.Concat(update.ContentUpdate.Select(part => part.Text)));
            usage ??= update.Usage;
            reason ??= update.FinishReason;
        }

        Assert.Equal((await Ask(client, "What?", Options())).Content[0].Text, text.ToString());
        Assert.Equal((12, ChatFinishReason.Length), (usage!.OutputTokenCount, reason));
        Assert.True(updates > 5);
    }

    [Fact]
    public async Task A_schema_is_held_and_an_object_is_one()
    {
        const string schema = """
            {"type": "object", "properties": {"ok": {"type": "boolean"}, "kind": {"enum": ["a", "b"]}}, "required": ["ok", "kind"],
             "additionalProperties": false}
            """;
        var options = Options();
        options.MaxOutputTokenCount = 60;
        options.ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat("reply", BinaryData.FromString(schema), jsonSchemaIsStrict: true);
        var answer = await Ask(client, "Is it?", options);
        using var json = JsonDocument.Parse(answer.Content[0].Text);
        Assert.Equal(["ok", "kind"], json.RootElement.EnumerateObject().Select(field => field.Name));
        Assert.Equal(ChatFinishReason.Stop, answer.FinishReason);
        options.ResponseFormat = ChatResponseFormat.CreateJsonObjectFormat();
        Assert.StartsWith("{", (await Ask(client, "Is it?", options)).Content[0].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Log_probabilities_are_those_of_the_model()
    {
        var options = Options();
        (options.IncludeLogProbabilities, options.TopLogProbabilityCount) = (true, 3);
        var answer = await Ask(client, "What?", options);
        var alone = await app.Server.Model.AnswerAsync(
            [Message.User(Image.FromFile(ServedApp.Picture), "What?")], greedy with { Logprobs = true, TopLogprobs = 3 });
        Assert.Equal(alone.Generation.Logprobs.Select(one => (float)one.Logprob), answer.ContentTokenLogProbabilities.Select(one => one.LogProbability));
        Assert.All(answer.ContentTokenLogProbabilities, one => Assert.Equal(3, one.TopLogProbabilities.Count));
        Assert.Equal(
            answer.Content[0].Text, Encoding.UTF8.GetString([.. answer.ContentTokenLogProbabilities.SelectMany(one => one.Utf8Bytes!.Value.ToArray())]));
    }

    [Fact]
    public async Task Models_are_the_folder_and_the_adapters()
    {
        var models = new OpenAIModelClient(new ApiKeyCredential("other"), Endpoint());
        Assert.Equal(["tiny", "tuned"], (await models.GetModelsAsync()).Value.Select(model => model.Id));
        Assert.Equal("tuned", (await models.GetModelAsync("tuned")).Value.Id);
        Assert.Equal(404, (await Assert.ThrowsAsync<ClientResultException>(() => models.GetModelAsync("none"))).Status);
    }

    [Fact]
    public async Task Errors_have_their_code()
    {
        await Fails("invalid_api_key", 401, new ChatClient("tiny", new ApiKeyCredential("wrong"), Endpoint()), "Hi");
        await Fails("model_not_found", 404, Client("none"), "Hi");
        await Fails("context_length_exceeded", 400, client, string.Concat(Enumerable.Repeat("word ", 5000)));

        async Task Fails(string code, int status, ChatClient who, string text)
        {
            var error = await Assert.ThrowsAsync<ClientResultException>(() => Ask(who, text, Options()));
            Assert.Equal(status, error.Status);
            Assert.Contains(code, error.Message, StringComparison.Ordinal);
        }
    }

    protected override void Cleanup() => app.DisposeAsync().AsTask().GetAwaiter().GetResult();

    private static UserChatMessage Question(string text) => new(
        ChatMessageContentPart.CreateImagePart(BinaryData.FromBytes(File.ReadAllBytes(ServedApp.Picture)), "image/png"),
        ChatMessageContentPart.CreateTextPart(text));

    private static async Task<ChatCompletion> Ask(ChatClient client, string text, ChatCompletionOptions options) =>
        (await client.CompleteChatAsync([Question(text)], options)).Value;

#pragma warning disable OPENAI001 // the seed is called experimental
    private static ChatCompletionOptions Options(int? seed = null) => new() { MaxOutputTokenCount = 12, Temperature = seed is null ? 0 : 0.8f, Seed = seed };
#pragma warning restore OPENAI001

    private OpenAIClientOptions Endpoint() => new() { Endpoint = new Uri(app.Url + "/v1") };

    private ChatClient Client(string model) => new(model, new ApiKeyCredential("secret"), Endpoint());
}
