using System.Diagnostics;
using Fovea.Extensions.AI;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace Fovea.Tests.Unit.ExtensionsAI;

/// <summary>A model behind Microsoft.Extensions.AI's own pipeline: what goes in, what comes out, and what is refused.</summary>
public sealed class ChatClientTests : NativeTest
{
    private static readonly string Folder = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly string Adapter = TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens");
    private static readonly byte[] Picture = File.ReadAllBytes(Path.Combine(TestFiles.Golden("qwen2_5_vl_tiny/data"), "images/001_0.png"));
    private static readonly ChatMessage Question = new(ChatRole.User, [new DataContent(Picture, "image/png"), new TextContent("What do you see?")]);
    private readonly TempFolder folder = new();
    private static readonly ChatOptions Short = new() { Temperature = 0, MaxOutputTokens = 12 };

    [Fact]
    public async Task An_answer_is_the_models_own_whole_or_streamed()
    {
        await using var server = await Load();
        var client = server.AsIChatClient();
        var plain = await server.Model.AnswerAsync(
            [Message.User(Image.FromBytes(Picture), "What do you see?")], server.Model.Generation with { DoSample = false, MaxNewTokens = 12 });
        var whole = await client.GetResponseAsync(Question, Short);
        Assert.Equal(plain.Text, whole.Text);
        Assert.Equal(ChatFinishReason.Length, whole.FinishReason);
        Assert.Equal(("tiny", 12, plain.Generation.PromptTokens), (whole.ModelId, whole.Usage!.OutputTokenCount, whole.Usage.InputTokenCount));
        var updates = await client.GetStreamingResponseAsync(Question, Short).ToListAsync();
        Assert.True(updates.Count > 2);
        var joined = updates.ToChatResponse();
        Assert.Equal((whole.Text, whole.FinishReason, whole.Usage.TotalTokenCount), (joined.Text, joined.FinishReason, joined.Usage!.TotalTokenCount));
        Assert.Single(updates.Select(update => update.MessageId).Distinct());
    }

    [Fact]
    public async Task Options_reach_the_generation()
    {
        await using var server = await Load();
        var client = server.AsIChatClient();
        var sampled = new ChatOptions
        {
            Temperature = 1.5f, TopK = 30, TopP = 0.9f, Seed = 5, MaxOutputTokens = 10, PresencePenalty = 1, FrequencyPenalty = 0.5f,
        };
        var (first, again) = (await client.GetResponseAsync(Question, sampled), await client.GetResponseAsync(Question, sampled));
        Assert.Equal(first.Text, again.Text);
        var plain = await server.Model.AnswerAsync([Message.User(Image.FromBytes(Picture), "What do you see?")], server.Model.Generation with
        {
            DoSample = true, Temperature = 1.5, TopK = 30, TopP = 0.9f, Seed = 5, MaxNewTokens = 10, PresencePenalty = 1, FrequencyPenalty = 0.5,
        });
        Assert.Equal(plain.Text, first.Text);
        var stop = (await client.GetResponseAsync(Question, Short)).Text[^3..];
        var cut = await client.GetResponseAsync(Question, new() { Temperature = 0, MaxOutputTokens = 12, StopSequences = [stop] });
        Assert.Equal(ChatFinishReason.Stop, cut.FinishReason);
        Assert.DoesNotContain(stop, cut.Text, StringComparison.Ordinal);
        Assert.Equal(
            (await client.GetResponseAsync([new(ChatRole.System, "Be brief."), Question], Short)).Text,
            (await client.GetResponseAsync(Question, new() { Temperature = 0, MaxOutputTokens = 12, Instructions = "Be brief." })).Text);
    }

    [Fact]
    public async Task A_type_asked_for_comes_back_as_an_object()
    {
        await using var server = await Load();
        var answer = await server.AsIChatClient().GetResponseAsync<Total>([Question], new ChatOptions { Temperature = 0, MaxOutputTokens = 200 });
        Assert.True(answer.TryGetResult(out var total), answer.Text);
        Assert.Contains(total.Currency, Enum.GetValues<Currency>());
    }

    [Fact]
    public async Task Functions_are_called_and_the_model_goes_on_with_their_results()
    {
        await using var server = await ModelServer.LoadAsync(WithTools(), Loading() with { Template = "chat_template" });
        string? asked = null;
        var weather = AIFunctionFactory.Create((string city) => $"sunny in {asked = city}", "weather", "Tells the weather.");
        var prompts = new List<long>();
        using var client = server.AsIChatClient().AsBuilder().UseFunctionInvocation().Use(inner => new Watched(inner, prompts)).Build();
        var turn = 0;
        var options = new ChatOptions
        {
            Tools = [weather],
            // A model with random weights calls nothing of its own accord: its text is held to a call, and then to an answer.
            RawRepresentationFactory = _ => server.Model.Generation with
            {
                DoSample = false, MaxNewTokens = 80, Constraint = Constraint.Regex(turn++ == 0
                    ? "<tool_call>\\n\\{\"name\": \"weather\", \"arguments\": \\{\"city\": \"(Oslo|Rome)\"\\}\\}\\n</tool_call>" : "Sunny\\."),
            },
        };
        var answer = await client.GetResponseAsync("What is the weather?", options);
        Assert.Equal("Sunny.", answer.Text);
        Assert.Contains(asked, (string[])["Oslo", "Rome"]);
        Assert.Equal([ChatRole.Assistant, ChatRole.Tool, ChatRole.Assistant], answer.Messages.Select(message => message.Role));
        Assert.Equal($"sunny in {asked}", answer.Messages[1].Contents.OfType<FunctionResultContent>().Single().Result?.ToString());
        Assert.True(prompts is [var first, var second] && second > first + 10, string.Join(", ", prompts));
    }

    [Fact]
    public async Task Spans_and_measurements_of_the_pipeline_name_the_model_and_its_tokens()
    {
        await using var server = await Load();
        var spans = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "fovea.tests",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Add,
        };
        ActivitySource.AddActivityListener(listener);
        using var client = server.AsIChatClient("tuned").AsBuilder().UseOpenTelemetry(sourceName: "fovea.tests").Build();
        await client.GetResponseAsync(Question, Short);
        var span = Assert.Single(spans);
        Assert.Equal("chat tuned", span.DisplayName);
        Assert.Equal("fovea", span.GetTagItem("gen_ai.provider.name"));
        Assert.Equal(12, Convert.ToInt32(span.GetTagItem("gen_ai.usage.output_tokens"), System.Globalization.CultureInfo.InvariantCulture));
    }

    [Fact]
    public async Task Services_share_one_model_and_keys_choose_adapters()
    {
        var services = new ServiceCollection();
        services.AddFoveaModel(Folder, Loading(), new() { Name = "tiny" });
        services.AddFoveaChatClient();
        services.AddKeyedFoveaChatClient("receipts", adapter: "tuned");
        await using var provider = services.BuildServiceProvider();
        var (model, tuned) = (provider.GetRequiredService<IChatClient>(), provider.GetRequiredKeyedService<IChatClient>("receipts"));
        Assert.Same(model.GetService<ModelServer>(), tuned.GetService<ModelServer>());
        Assert.Equal(("tiny", "tuned"), (Name(model), Name(tuned)));
        var answers = await Task.WhenAll(model.GetResponseAsync(Question, Short), tuned.GetResponseAsync(Question, Short));
        Assert.Equal(("tiny", "tuned"), (answers[0].ModelId, answers[1].ModelId));
        var named = await model.GetResponseAsync(Question, new() { Temperature = 0, MaxOutputTokens = 12, ModelId = "tuned" });
        Assert.Equal(answers[1].Text, named.Text);

        static string? Name(IChatClient client) => client.GetService<ChatClientMetadata>()?.DefaultModelId;
    }

    [Fact]
    public async Task What_the_model_does_not_take_is_refused_by_name()
    {
        await using var server = await Load();
        var client = server.AsIChatClient();
        await Refused("there is no model gpt; the model is tiny, its adapters tuned", Question, new() { ModelId = "gpt" });
        await Refused("nothing is fetched", new(ChatRole.User, [new UriContent("https://example.com/a.png", "image/png")]), null);
        await Refused("message 1 holds audio/wav", new(ChatRole.User, [new DataContent(new byte[] { 1 }, "audio/wav")]), null);
        await Refused("options for reasoning", Question, new() { Reasoning = new() });
        await Refused("a tool mode that requires a call", Question, new() { ToolMode = ChatToolMode.RequireAny });
        await Refused("template: chat_template", Question, new() { Tools = [AIFunctionFactory.Create(() => 1, "one")] });
        await Refused("temperature is -1", Question, new() { Temperature = -1 });
        Assert.Contains("no adapter other", Assert.Throws<ConfigException>(() => server.AsIChatClient("other")).Message, StringComparison.Ordinal);

        async Task Refused(string reason, ChatMessage message, ChatOptions? options)
        {
            var refusal = await Assert.ThrowsAsync<ConfigException>(() => client.GetResponseAsync(message, options));
            Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_caller_that_gives_up_ends_its_answer()
    {
        await using var server = await Load();
        using var cancel = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var update in server.AsIChatClient().GetStreamingResponseAsync(Question, new() { MaxOutputTokens = 500 }, cancel.Token))
            {
                await cancel.CancelAsync();
            }
        });
        Assert.Equal(0, server.Status.Running);
    }

    /// <summary>The model with a template of its own that writes tools.</summary>
    private string WithTools()
    {
        foreach (var file in Directory.GetFiles(Folder))
        {
            File.Copy(file, folder.File(Path.GetFileName(file)));
        }

        File.Copy(TestFiles.Golden("chat_templates/templates/tools.jinja"), folder.File("chat_template.jinja"));
        return folder.Path;
    }

    protected override void Cleanup() => folder.Dispose();

    private static VisionModelOptions Loading() => new() { NamedAdapters = new Dictionary<string, string> { ["tuned"] = Adapter }, Device = "cpu" };

    private static Task<ModelServer> Load() => ModelServer.LoadAsync(Folder, Loading(), new() { Name = "tiny" });

    private enum Currency
    {
        Euro,
        Krone,
    }

    private sealed record Total(bool Paid, Currency Currency);

    /// <summary>Notes how long each prompt was.</summary>
    private sealed class Watched(IChatClient inner, List<long> prompts) : DelegatingChatClient(inner)
    {
        public override async Task<ChatResponse> GetResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
        {
            var response = await base.GetResponseAsync(messages, options, cancellationToken);
            prompts.Add(response.Usage!.InputTokenCount!.Value);
            return response;
        }
    }
}
