using Fovea.Generation;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Library;

/// <summary>A model as a program uses it: answers, streams, conversations, errors, and its end.</summary>
public sealed class VisionModelTests : NativeTest
{
    private static readonly string Folder = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly string Adapter = TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens");
    private static readonly string Data = TestFiles.Golden("qwen2_5_vl_tiny/data");
    private static readonly Image Picture = Image.FromFile(Path.Combine(Data, "images/001_0.png"));
    private readonly VisionModel model;
    private readonly GenerationOptions greedy;

    public VisionModelTests()
    {
        model = Load(new() { Device = "cpu", Adapter = Adapter });
        greedy = model.Generation with { DoSample = false, MaxNewTokens = 12 };
    }

    [Fact]
    public async Task A_stream_is_the_answer_in_pieces()
    {
        var asked = new[] { Message.User(Picture, "What do you see?") };
        var answer = await model.AnswerAsync(asked, greedy);
        Assert.NotEmpty(answer.Text);
        var pieces = await model.StreamAsync(asked, greedy).ToListAsync();
        Assert.Equal(answer.Text, string.Concat(pieces));
        Assert.True(pieces.Count > 1);
        Assert.Equal(("qwen2_5_vl", "cpu"), (model.Folder.ModelType, model.Device));
    }

    [Fact]
    public async Task A_conversation_asked_as_a_whole_is_answered_as_turn_by_turn_and_what_is_known_is_not_computed_again()
    {
        var chat = model.NewChat("You see.");
        await chat.AskAsync(Message.User(Picture, "What do you see?"), greedy);
        var second = await chat.AskAsync(Message.User("And the colour?"), greedy);
        Assert.Equal(4, chat.Messages.Count);
        var whole = await model.AnswerAsync([Message.System("You see."), .. chat.Messages.Take(3)], greedy);
        Assert.Equal(second.Generation.Ids, whole.Generation.Ids);

        // The image of the messages is read once and then known, as in a conversation.
        var again = await model.AnswerAsync([Message.System("You see."), .. chat.Messages.Take(3)], greedy);
        Assert.Equal(whole.Generation.PromptTokens - 1, again.Generation.ReusedTokens);
        await chat.ClearAsync();
        Assert.Empty(chat.Messages);
        Assert.Equal("You see.", chat.System);
    }

    [Fact]
    public async Task Questions_at_the_same_time_may_name_different_adapters()
    {
        // The model of the other tests has the adapter attached; here it lies beside the plain model.
        await using var named = Load(new() { Device = "cpu", NamedAdapters = new Dictionary<string, string> { ["tuned"] = Adapter } });
        await using var plain = Load(new() { Device = "cpu" });
        Message[] asked = [Message.User(Picture, "What do you see?")];
        var expected = new[] { await plain.AnswerAsync(asked, greedy), await model.AnswerAsync(asked, greedy) };
        Assert.NotEqual(expected[0].Generation.Ids, expected[1].Generation.Ids);
        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(i =>
            named.AnswerAsync(asked, i % 2 == 0 ? greedy : greedy with { Adapter = "tuned" })));
        Assert.All(answers.Select((answer, i) => (answer, i)), pair => Assert.Equal(expected[pair.i % 2].Generation.Ids, pair.answer.Generation.Ids));

        var error = await Assert.ThrowsAsync<ConfigException>(() => model.AnswerAsync(asked, greedy with { Adapter = "tuned" }));
        Assert.Equal("no adapter named 'tuned' is loaded; none has a name", error.Message);
        await Assert.ThrowsAsync<ConfigException>(() => VisionModel.LoadAsync(
            Folder, new() { Device = "cpu", NamedAdapters = new Dictionary<string, string> { ["no"] = Folder } }));
    }

    [Fact]
    public async Task A_conversation_begins_anew_while_another_is_answered()
    {
        using var stop = new CancellationTokenSource();
        var chat = model.NewChat();
        await chat.AskAsync(Message.User("Hello"), greedy);
        await using var pieces = model.StreamAsync([Message.User("Hello")], greedy with { MaxNewTokens = 2000, StopIds = [1_000_000] }, stop.Token)
            .GetAsyncEnumerator();
        Assert.True(await pieces.MoveNextAsync());
        await chat.ClearAsync();
        Assert.Empty(chat.Messages);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            while (await pieces.MoveNextAsync())
            {
            }
        });
    }

    [Fact]
    public async Task What_several_threads_ask_at_once_is_answered_as_if_asked_alone()
    {
        string[] questions = ["What do you see?", "Which shape?", "Please describe this image"];
        var alone = new List<string>();
        foreach (var question in questions)
        {
            alone.Add((await model.AnswerAsync([Message.User(Picture, question)], greedy)).Text);
        }

        var together = await Task.WhenAll(questions.Concat(questions).Select(question =>
            Task.Run(async () => string.Concat(await model.StreamAsync([Message.User(Picture, question)], greedy).ToListAsync()))));
        Assert.Equal(alone.Concat(alone), together);
    }

    [Fact]
    public async Task Leaving_a_stream_or_cancelling_ends_the_answer_and_the_next_question_is_answered()
    {
        var endless = greedy with { MaxNewTokens = 100_000, StopIds = [0] };
        var asked = new[] { Message.User("Go on for ever") };
        await foreach (var piece in model.StreamAsync(asked, endless))
        {
            Assert.NotEmpty(piece);
            break;
        }

        using var cancel = new CancellationTokenSource();
        var answer = model.AnswerAsync(asked, endless, cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answer);
        using var during = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var piece in model.StreamAsync(asked, endless, during.Token))
            {
                await during.CancelAsync();
            }
        });
        Assert.NotEmpty((await model.AnswerAsync([Message.User(Picture, "What do you see?")], greedy)).Text);
    }

    [Fact]
    public async Task A_question_that_cannot_be_answered_says_why_and_leaves_model_and_conversation_as_they_were()
    {
        var chat = model.NewChat();
        var missing = await Assert.ThrowsAnyAsync<FoveaException>(() => chat.AskAsync(Image.FromFile("absent.png"), "What?"));
        Assert.Contains("absent.png", missing.Message);
        Assert.Contains("a video", (await Assert.ThrowsAsync<ConfigException>(() => chat.AskAsync(new Video("film.mp4"), "What?"))).Message);
        var ended = await Assert.ThrowsAsync<ConfigException>(() => model.AnswerAsync([Message.User("Hello"), Message.Assistant("Hello")]));
        Assert.Contains("does not end with a question", ended.Message);
        Assert.Contains("temperature", (await Assert.ThrowsAsync<ConfigException>(
            () => model.AnswerAsync([Message.User("Hello")], greedy with { DoSample = true, Temperature = 0 }))).Message);
        await Assert.ThrowsAsync<ArgumentException>(() => chat.AskAsync(Message.Assistant("I ask")));
        Assert.Empty(chat.Messages);
        Assert.NotEmpty((await chat.AskAsync(Message.User("Hello"), greedy)).Text);
    }

    [Fact]
    public async Task The_loss_on_conversations_is_that_of_the_same_rows_in_a_file()
    {
        var file = new TrainConfig
        {
            Model = new ModelSection { ModelNameOrPath = Folder, UseCpu = true },
            Data = new() { EvalDataset = ["tiny_shapes"], DatasetDir = Data, MaxSamples = 6 },
        };
        var expected = Assert.Single(await model.Measure(file, tell: null));
        var measured = await model.MeasureAsync(LibraryRows.Take(6));
        Assert.Equal(expected.Loss, measured.Loss);
        Assert.Equal(6, measured.Samples);
        Assert.Equal(Math.Exp(measured.Loss!.Value), measured.Perplexity!.Value, 0.5 * measured.Perplexity.Value);
        Assert.InRange(measured.TokenAccuracy!.Value, 0, 1);
        var bad = await Assert.ThrowsAsync<ConfigException>(() => model.MeasureAsync([new Conversation([Message.User("alone")])]));
        Assert.Contains("row 1", Assert.Single(bad.Problems, problem => problem.Contains("ends with a question")));
    }

    [Fact]
    public async Task What_cannot_be_loaded_says_why()
    {
        Assert.Contains(
            "must be a model's folder, or its name on a hub", (await Assert.ThrowsAsync<ConfigException>(() => VisionModel.LoadAsync("nowhere"))).Message);
        Assert.Contains("PureBf16", (await Assert.ThrowsAsync<ConfigException>(
            () => VisionModel.LoadAsync(Folder, new() { Precision = Precision.PureBf16 }))).Message);
        await Assert.ThrowsAsync<ConfigException>(() => VisionModel.LoadAsync(Folder, new() { Device = "gpu" }));
        await Assert.ThrowsAnyAsync<FoveaException>(() => VisionModel.LoadAsync(Folder, new() { Adapter = Folder, Device = "cpu" }));
        var pixels = await Assert.ThrowsAsync<ConfigException>(() => VisionModel.LoadAsync(Folder, new() { ImageMaxPixels = 0 }));
        Assert.Contains("ImageMaxPixels", pixels.Message);
    }

    [Fact]
    public async Task A_model_is_freed_once_and_says_so_afterwards()
    {
        var other = Load(new() { Device = "cpu" });
        var chat = other.NewChat();
        await other.DisposeAsync();
        await other.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => other.AnswerAsync([Message.User("Hello")]));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => chat.AskAsync("Hello"));
    }

    [Fact]
    public void An_image_file_that_has_changed_is_read_again()
    {
        var folder = Directory.CreateTempSubdirectory("fovea-");
        var path = Path.Combine(folder.FullName, "picture.png");
        File.Copy(Picture.Source.Path!, path);
        var reads = 0;
        var memory = new MediaMemory(source =>
        {
            reads++;
            return model.Loaded.Prompts.Read(source);
        });
        var first = memory.Of(path);
        Assert.Same(first, memory.Of(path));
        Assert.Equal(1, reads);
        File.Copy(Path.Combine(Data, "images/000_0.png"), path, overwrite: true);
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddSeconds(-50));
        Assert.NotSame(first, memory.Of(path));
        Assert.Equal(2, reads);

        // Where there is room for one alone, the last one stays.
        var small = new MediaMemory(model.Loaded.Prompts.Read, mostBytes: 1);
        var (one, other) = (small.Of(path), small.Of(Picture.Source));
        Assert.Same(other, small.Of(Picture.Source));
        Assert.NotSame(one, small.Of(path));
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Many_conversations_are_answered_as_each_alone_and_one_that_cannot_be_stops_nothing()
    {
        string[] questions = ["What do you see?", "Which shape?", "Please describe this image"];
        IReadOnlyList<Message>[] asked =
        [
            .. questions.Select(question => new[] { Message.User(Picture, question) }),
            [Message.User(Image.FromFile("absent.png"), "What?")],
            [Message.Assistant("nobody asked")],
        ];
        var outcomes = (await model.AnswerAllAsync(asked, greedy).ToListAsync()).OrderBy(outcome => outcome.Index).ToList();
        Assert.Equal(Enumerable.Range(0, 5), outcomes.Select(outcome => outcome.Index));
        for (var i = 0; i < questions.Length; i++)
        {
            Assert.Equal((await model.AnswerAsync(asked[i], greedy)).Generation.Ids, outcomes[i].Answer.Generation.Ids);
        }

        Assert.Contains("absent.png", outcomes[3].Problem!.Message);
        Assert.Empty(outcomes[3].Answers);
        Assert.Same(outcomes[4].Problem, Assert.ThrowsAny<FoveaException>(() => outcomes[4].Answer));
    }

    [Fact]
    public async Task With_a_seed_a_drawn_answer_depends_on_its_conversation_and_place_alone()
    {
        var drawn = greedy with { DoSample = true, Temperature = 3, TopK = 0, Seed = 5 };
        var asked = Enumerable.Range(0, 3).Select(_ => (IReadOnlyList<Message>)[Message.User("Say something")]).ToList();
        var all = await Texts(asked);
        Assert.Equal(3, all.Distinct().Count());
        Assert.Equal(all.Take(2), await Texts(asked.Take(2)));

        async Task<List<string>> Texts(IEnumerable<IReadOnlyList<Message>> conversations) =>
            [.. (await model.AnswerAllAsync(conversations, drawn).ToListAsync()).OrderBy(outcome => outcome.Index).Select(outcome => outcome.Answer.Text)];
    }

    [Fact]
    public async Task Endless_conversations_are_read_as_they_are_answered_and_leaving_ends_the_answers()
    {
        var read = 0;
        var answered = 0;
        await foreach (var outcome in model.AnswerAllAsync(Endless(), greedy with { MaxNewTokens = 1 }))
        {
            Assert.Equal(answered, outcome.Index);
            if (++answered == 3)
            {
                break;
            }
        }

        Assert.InRange(read, 3, 200);
        using var cancel = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var outcome in model.AnswerAllAsync(Endless(), greedy with { MaxNewTokens = 1 }, cancel.Token))
            {
                await cancel.CancelAsync();
            }
        });
        Assert.NotEmpty((await model.AnswerAsync([Message.User("And now?")], greedy)).Generation.Ids);

        IEnumerable<IReadOnlyList<Message>> Endless()
        {
            while (true)
            {
                read++;
                yield return [Message.User("Again?")];
            }
        }
    }

    [Fact]
    public async Task Held_out_conversations_come_back_with_answers_that_metrics_take()
    {
        var rows = LibraryRows.Take(4);
        var answered = await model.PredictAsync(rows, greedy with { MaxNewTokens = 24 }).ToListAsync();
        Assert.Equal(rows, answered.Select(row => row.Row));
        Assert.Equal("A red circle at the top.", answered[0].Expected);
        Assert.Equal(0, Metrics.ExactMatch(answered));
        var knows = rows[1] with { Messages = [.. rows[1].Messages.SkipLast(1), Message.Assistant($" {answered[1].Answer}\n")] };
        Assert.Equal(0.25, Metrics.ExactMatch([answered[0], answered[1] with { Row = knows }, answered[2], answered[3]]));
        Assert.Equal(0, Metrics.ExactMatch([]));
        await Assert.ThrowsAnyAsync<FoveaException>(async () => await model.PredictAsync(
            [new([Message.User(Image.FromFile("absent.png"), "What?"), Message.Assistant("Nothing.")])], greedy).ToListAsync());
    }

    protected override void Cleanup() => model.DisposeAsync().AsTask().GetAwaiter().GetResult();

    private static VisionModel Load(VisionModelOptions options) => VisionModel.LoadAsync(Folder, options).GetAwaiter().GetResult();
}
