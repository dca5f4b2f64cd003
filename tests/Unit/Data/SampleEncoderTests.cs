using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;

namespace Fovea.Tests.Unit.Data;

public sealed class SampleEncoderTests
{
    private static readonly Tokenizer Tokenizer = Tokenizer.Load(TestFiles.Golden("qwen2_5_vl_tiny/model"));
    private static readonly IMediaProcessor Images = new Qwen2VlMedia(Qwen2VlImageProcessor.Load(TestFiles.Golden("qwen2_5_vl_tiny/model")));

    [Fact]
    public void All_64_samples_equal_the_reference_in_ids_labels_and_grids()
    {
        var expected = GoldenSample.Read(TestFiles.Golden("qwen2_5_vl_tiny/samples_encoded.json"));
        var options = new DataOptions { Dataset = ["tiny_shapes"], DatasetDir = TestFiles.Golden("qwen2_5_vl_tiny/data") };
        using var data = DatasetLoader.Load(options);
        var encoder = new SampleEncoder(ChatTemplates.Qwen2Vl, Tokenizer, Images, options);
        Assert.Equal(64, data.Train.Count);
        for (var i = 0; i < expected.Length; i++)
        {
            var sample = encoder.Encode(data.Train[i]);
            Assert.Equal(expected[i].Ids, sample.Ids);
            Assert.Equal(expected[i].Labels, sample.Labels);
            Assert.Equal(expected[i].Grids, sample.Images.Select(im => (int[])[im.Grid.T, im.Grid.H, im.Grid.W]));
            Assert.All(sample.Images, im => Assert.All(sample.Ids.AsSpan(im.Offset, im.Tokens).ToArray(), id => Assert.Equal(encoder.ImageTokenId, id)));
            Assert.Equal(sample.Ids.Count(id => id == encoder.ImageTokenId), sample.Images.Sum(im => im.Tokens));
        }
    }

    [Theory]
    [InlineData(10, 10, 100, 10, 10)]
    [InlineData(90, 40, 100, 60, 40)]
    [InlineData(40, 90, 100, 40, 60)]
    [InlineData(90, 90, 100, 50, 50)]
    [InlineData(70, 150, 100, 32, 68)]
    [InlineData(50, 50, 100, 50, 50)]
    [InlineData(1, 1, 1, 1, 0)]
    public void Sides_are_shortened_as_LLaMA_Factory_does(int source, int target, int cutoff, int keptSource, int keptTarget) =>
        Assert.Equal((keptSource, keptTarget), EncodedTurn.Shorten(source, target, cutoff));

    [Fact]
    public void Every_answer_is_trained_to_its_end_and_questions_are_not()
    {
        var sample = Encode(Text(("Q one", "A one"), ("Q two", "A two")));
        Assert.Equal("A one<|im_end|>\nA two<|im_end|>\n", Trained(sample));
        Assert.Equal(
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nQ one<|im_end|>\n<|im_start|>assistant\nA one<|im_end|>\n" +
            "<|im_start|>user\nQ two<|im_end|>\n<|im_start|>assistant\nA two<|im_end|>\n",
            Tokenizer.Decode(sample.Ids));
    }

    [Fact]
    public void Mask_history_trains_the_last_answer_only()
    {
        var sample = Encode(Text(("Q one", "A one"), ("Q two", "A two")), o => o with { MaskHistory = true });
        Assert.Equal("A two<|im_end|>\n", Trained(sample));
        Assert.Equal(Encode(Text(("Q one", "A one"), ("Q two", "A two"))).Ids, sample.Ids);
    }

    [Fact]
    public void Train_on_prompt_trains_everything_but_the_first_token()
    {
        var sample = Encode(Text(("Q", "A")), o => o with { TrainOnPrompt = true });
        Assert.Equal(sample.Ids, sample.Labels);
        Assert.Equal(sample.Ids.Length - 1, sample.TrainedTokens);
    }

    [Fact]
    public void The_system_prompt_is_the_row_s_then_the_configured_then_the_template_s()
    {
        string System(string? row, string? configured) =>
            Tokenizer.Decode(Encode(Text(row, ("Q", "A")), o => o with { DefaultSystem = configured }).Ids).Split('\n')[1];
        Assert.Equal("Row.<|im_end|>", System("Row.", "Config."));
        Assert.Equal("Config.<|im_end|>", System(null, "Config."));
        Assert.Equal("You are a helpful assistant.<|im_end|>", System("", null));
        Assert.StartsWith("<|im_start|>user", Tokenizer.Decode(Encode(Text(("Q", "A")), o => o with { DefaultSystem = "" }).Ids));
    }

    [Fact]
    public void Text_is_truncated_turn_by_turn_at_the_cutoff()
    {
        var whole = Encode(Text(("Q one", "A one"), ("Q two", "A two")));
        var first = Encode(Text(("Q one", "A one")));
        var cut = Encode(Text(("Q one", "A one"), ("Q two", "A two")), o => o with { CutoffLen = first.Ids.Length });
        Assert.True(cut.Truncated);
        Assert.False(whole.Truncated);
        Assert.Equal(first.Ids, cut.Ids);
        Assert.Equal(first.Labels, cut.Labels);
        var room = whole.Ids.Length - first.Ids.Length + 9;
        var latest = Encode(Text(("Q one", "A one"), ("Q two", "A two")), o => o with { CutoffLen = room, MaskHistory = true });
        Assert.EndsWith("Q two<|im_end|>\n<|im_start|>assistant\nA two<|im_end|>\n", Tokenizer.Decode(latest.Ids));
        Assert.Equal(room, latest.Ids.Length);
    }

    [Fact]
    public void A_turn_whose_image_would_be_cut_is_dropped_with_its_image()
    {
        var image = TestFiles.Golden("qwen2_5_vl_tiny/data/images/003_0.png");
        var first = Encode(Text(("Q one", "A one")));
        var both = Conversations.Of("memory", 7, null, [("Q one", "A one"), ("<image>Q two", "A two")], image);
        var cut = Encode(both, o => o with { CutoffLen = first.Ids.Length + 10 });
        Assert.Equal(first.Ids, cut.Ids);
        Assert.Empty(cut.Images);
        Assert.True(cut.Truncated);
    }

    [Fact]
    public void A_sample_whose_first_image_would_be_cut_is_too_long()
    {
        var image = TestFiles.Golden("qwen2_5_vl_tiny/data/images/003_0.png");
        var conversation = Conversations.Of("memory", 7, null, [("<image>Q", "A")], image);
        var error = Assert.Throws<BadSampleException>(() => Encode(conversation, o => o with { CutoffLen = 30 }));
        Assert.Contains("too long", error.Sample.Reason);
        Assert.Contains("cutoff_len 30", error.Sample.Reason);
    }

    [Fact]
    public void Text_that_spells_the_image_token_itself_is_refused()
    {
        var error = Assert.Throws<BadSampleException>(() => Encode(Text(("<|image_pad|>Q", "A"))));
        Assert.Contains("<|image_pad|>", error.Sample.Reason);
    }

    [Fact]
    public void An_image_that_cannot_be_read_is_named()
    {
        using var folder = new TempFolder();
        var path = folder.Write("broken.png", "not an image");
        var error = Assert.Throws<BadSampleException>(() => Encode(Conversations.Of("memory", 7, null, [("<image>Q", "A")], path)));
        Assert.Contains(path, error.Message);
        Assert.Equal(7, error.Sample.Row);
    }

    [Fact]
    public void A_prompt_for_generation_ends_where_the_answer_begins()
    {
        var encoder = new SampleEncoder(ChatTemplates.Qwen2Vl, Tokenizer, Images, new DataOptions { Dataset = [] });
        var plan = Images.Plan(TestFiles.Golden("qwen2_5_vl_tiny/data/images/003_0.png"));
        var ids = encoder.EncodePrompt(new([Message.User(Image.FromFile("i.png"), "Q"), Message.Assistant("A"), Message.User("And?")]), [plan]);
        Assert.Equal(
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Q<|im_end|>\n" +
            "<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n",
            Tokenizer.Decode(ids));
        Assert.Equal(ids.Length + 3, encoder.Expand(ids, [4]).Length);
    }

    [Fact]
    public void What_no_template_writes_is_refused_by_name_and_row()
    {
        Message question = Message.User("Q"), answer = Message.Assistant("A");
        (Conversation Conversation, string Reason)[] refused =
        [
            (new([Message.User(new Video("v.mp4"), "Q"), answer]), "row 3: message 1 holds a video, which is not supported"),
            (new([question, Message.Assistant(new ToolCall("find", "{}"))]), "row 3: message 2 holds a tool call, which is not supported"),
            (new([question, new Message(Role.Tool, [new ToolResult("found")]), answer]), "row 3: message 2 holds the result of a tool call"),
            (new([question, question, answer]), "row 3: message 2 is by the user where the assistant must speak"),
            (new([question, answer, Message.System("S")]), "row 3: message 3 is by the system where the user must speak"),
            (new([question]), "row 3: ends with a question"),
            (new([]), "row 3: has no messages"),
        ];
        Assert.All(refused, r => Assert.Contains(
            r.Reason, Assert.Throws<BadSampleException>(() => Encode(r.Conversation with { Origin = new("memory", 3) })).Message));
    }

    private static Conversation Text(params (string User, string Assistant)[] turns) => Conversations.Of("memory", 7, null, turns);

    private static Conversation Text(string? system, (string User, string Assistant) turn) => Conversations.Of("memory", 7, system, [turn]);

    private static EncodedSample Encode(Conversation conversation, Func<DataOptions, DataOptions>? change = null)
    {
        var options = new DataOptions { Dataset = [] };
        return new SampleEncoder(ChatTemplates.Qwen2Vl, Tokenizer, Images, change?.Invoke(options) ?? options).Encode(conversation);
    }

    private static string Trained(EncodedSample sample) => Tokenizer.Decode(sample.Labels.Where(l => l != EncodedSample.Ignored).ToArray());
}
