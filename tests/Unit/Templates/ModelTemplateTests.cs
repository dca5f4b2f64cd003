using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Tests.Parity;
using Fovea.Tests.Unit.Data;

namespace Fovea.Tests.Unit.Templates;

/// <summary><c>template: chat_template</c>: ids and labels that a model's own template leads to, beside those of named templates and of Transformers.</summary>
public sealed class ModelTemplateTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("qwen2_vl", 0)]
    [InlineData("qwen2_vl", 1)]
    [InlineData("qwen2_vl", 2)]
    [InlineData("qwen3_vl", 5)]
    [InlineData("qwen3_vl", 6)]
    [InlineData("qwen3_vl", 7)]
    [InlineData("qwen3_vl", 0, 0, 1, 2, 4)]
    [InlineData("qwen3_vl", 1, 0, 1, 2, 4)]
    [InlineData("qwen3_vl", 3)]
    public void Ids_and_labels_are_those_of_LLaMA_Factory_s_template_where_both_write_the_same(string golden, int run, params int[] rows)
    {
        var expected = Golden.Json(TestFiles.Golden($"{golden}/llamafactory.json"))[run];
        var name = expected.GetProperty("template").GetString()!;
        Lay(name switch { "qwen2_vl" => "", "qwen3_vl" => "thinking.jinja", _ => "parts.jinja" });
        var settings = expected.GetProperty("settings");
        var used = Enumerable.Range(0, 7).ToList();
        var json = Golden.Json(TestFiles.Golden($"{golden}/data/llamafactory_rows.json"));
        folder.Write("rows.json", new JsonArray([.. used.Select(i => JsonNode.Parse(json[i].GetRawText()))]).ToJsonString());
        var options = new DataOptions
        {
            Dataset = [folder.File("rows.json")],
            DatasetDir = folder.Path,
            MediaDir = TestFiles.Golden($"{golden}/data"),
            MaskHistory = settings.TryGetProperty("mask_history", out var mask) && mask.GetBoolean(),
            TrainOnPrompt = settings.TryGetProperty("train_on_prompt", out var prompt) && prompt.GetBoolean(),
            EnableThinking = !settings.TryGetProperty("enable_thinking", out var thinks) || thinks.GetBoolean(),
        };
        var encoder = Encoder(golden, options);
        using var data = DatasetLoader.Load(options);
        var samples = GoldenSample.Read(TestFiles.Golden($"{golden}/llamafactory.json"), run, "samples");
        foreach (var i in rows is [] ? used : [.. rows])
        {
            var sample = encoder.Encode(data.Train[i]);
            Assert.Equal(samples[i].Ids, sample.Ids);
            Assert.Equal(samples[i].Labels, sample.Labels);
        }
    }

    [Theory]
    [InlineData("qwen2_vl", "")]
    [InlineData("qwen3_vl", "parts.jinja")]
    public void All_training_rows_have_the_ids_and_labels_of_the_original(string golden, string template)
    {
        Lay(template);
        var expected = GoldenSample.Read(TestFiles.Golden($"{golden}/train_encoded.json"));
        var options = new DataOptions { Dataset = ["train"], DatasetDir = TestFiles.Golden($"{golden}/data") };
        using var data = DatasetLoader.Load(options);
        var encoder = Encoder(golden, options);
        Assert.Equal((32, 32), (expected.Length, data.Train.Count));
        for (var i = 0; i < expected.Length; i++)
        {
            var sample = encoder.Encode(data.Train[i]);
            Assert.Equal(expected[i].Ids, sample.Ids);
            Assert.Equal(expected[i].Labels, sample.Labels);
        }
    }

    [Fact]
    public void Marks_say_what_is_trained_as_Transformers_masks_it()
    {
        Lay("marks.jinja");
        var encoder = Encoder("qwen3_vl", new DataOptions());
        var rows = Golden.Json(TestFiles.Golden("chat_templates/cases.json")).GetProperty("masks").EnumerateArray().ToList();
        Assert.Equal(3, rows.Count);
        foreach (var row in rows)
        {
            var sample = encoder.Encode(Conversation(row.GetProperty("messages")));
            var ids = row.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()).ToArray();
            Assert.Equal(ids, sample.Ids);
            Assert.Equal(row.GetProperty("mask").EnumerateArray().Select((mask, i) => mask.GetInt32() == 1 ? ids[i] : EncodedSample.Ignored), sample.Labels);
        }
    }

    [Fact]
    public void Marks_and_mask_history_train_the_last_answer()
    {
        Lay("marks.jinja");
        var sample = Encoder("qwen3_vl", new DataOptions { MaskHistory = true }).Encode(Two);
        Assert.Equal("<think>\nHm.\n</think>\n\nA2<|im_end|>", Trained(sample));
    }

    [Fact]
    public void A_template_that_drops_earlier_thoughts_is_refused_with_what_to_do()
    {
        Lay("thinking.jinja");
        var e = Assert.Throws<BadSampleException>(() => Encoder("qwen3_vl", new DataOptions()).Encode(Two));
        Assert.Contains("writes turn 1 in another way when others follow it", e.Message);
        Assert.Contains("mask_history: true", e.Message);
        Assert.Contains("{% generation %}", e.Message);
        var last = Encoder("qwen3_vl", new DataOptions { MaskHistory = true }).Encode(Two);
        Assert.Equal("<think>\nHm.\n</think>\n\nA2<|im_end|>\n", Trained(last));
        Assert.DoesNotContain("Ho.", Tokens.Decode(last.Ids));
        var all = Encoder("qwen3_vl", new DataOptions { TrainOnPrompt = true }).Encode(Two);
        Assert.Equal(all.Ids, all.Labels);
    }

    [Theory]
    [InlineData(true, "")]
    [InlineData(false, "<think>\n\n</think>\n\n")]
    [InlineData(null, "")]
    public void A_prompt_is_what_the_template_asks_with(bool? thinks, string end)
    {
        Lay("thinking.jinja");
        var conversation = new Conversation(
            [Message.System("S"), Message.User("Q"), Message.Assistant("<think>\nHo.\n</think>\n\nA"), Message.User("And?")]);
        var ids = Encoder("qwen3_vl", new DataOptions { EnableThinking = thinks }).EncodePrompt(conversation, []);
        Assert.Equal(
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nAnd?<|im_end|>\n"
            + "<|im_start|>assistant\n" + end,
            Tokens.Decode(ids));
    }

    [Fact]
    public void A_prompt_with_images_has_the_ids_that_training_uses()
    {
        Lay("parts.jinja");
        var image = TestFiles.Golden("qwen3_vl/data/images/one.png");
        var encoder = Encoder("qwen3_vl", new DataOptions());
        var conversation = Conversations.Of("d", 1, "S", [("Is <image> it?", "A\nB"), ("<image>And?", "C")], image, image);
        var sample = encoder.Encode(conversation);
        var grids = sample.Images.Select(i => i.Plan).ToList();
        var question = new Conversation([.. conversation.Messages.SkipLast(1)]);
        var ids = encoder.Expand(encoder.EncodePrompt(question, grids), [.. grids.SelectMany(plan => plan.Tokens)]);
        Assert.Equal(2, sample.Images.Count);
        Assert.Equal(sample.Ids[..ids.Length], ids);
        Assert.Equal("C<|im_end|>\n", Tokens.Decode(sample.Ids.AsSpan(ids.Length)));
    }

    [Fact]
    public void Default_system_and_turns_are_where_they_belong()
    {
        Lay("parts.jinja");
        var sample = Encoder("qwen3_vl", new DataOptions { DefaultSystem = "Be brief." }).Encode(Conversations.Of("d", 1, null, [("Q", "A"), ("R", "B")]));
        Assert.StartsWith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nQ", Tokens.Decode(sample.Ids));
        Assert.Equal(2, sample.Turns.Count);
        Assert.StartsWith("<|im_start|>user\nR", Tokens.Decode(sample.Ids.AsSpan(sample.Turns[1])));
    }

    [Fact]
    public void What_the_template_itself_refuses_is_a_bad_row()
    {
        folder.Write("chat_template.jinja", "{{ messages[0].content }}\n"
            + "{{ raise_exception('not you') if messages | length > 2 }}{{ nothing.at_all if messages[0].content == 'x' }}");
        var encoder = Encoder("qwen3_vl", new DataOptions());
        var e = Assert.Throws<BadSampleException>(() => encoder.Encode(Two));
        Assert.Contains("chat_template.jinja, where the template refuses the conversation, line 2: not you", e.Message);
        var other = Assert.Throws<BadSampleException>(() => encoder.Encode(Conversations.Of("d", 7, null, [("x", "y")])));
        Assert.Contains("line 2: 'nothing' is undefined", other.Message);
        Assert.Equal(7, other.Sample.Row);
    }

    [Fact]
    public void Files_are_read_in_the_order_of_Transformers()
    {
        Assert.Contains("has none", Assert.Throws<ConfigException>(() => Load()).Message);
        folder.Write("tokenizer_config.json", """{"bos_token": {"content": "<b>"}, "chat_template": [{"name": "tool_use", "template": "t"}]}""");
        Assert.Contains("it names tool_use", Assert.Throws<ConfigException>(() => Load()).Message);
        folder.Write("tokenizer_config.json", """
            {"bos_token": {"content": "<b>"}, "eos_token": "<e>", "extra_special_tokens": {"image_token": "<i>"},
             "chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "{{ bos_token ~ image_token ~ eos_token }}"}]}
            """);
        Assert.Equal("<b><i><e>", Load());
        folder.Write("chat_template.json", """{"chat_template": "json {{ bos_token }}"}""");
        Assert.Equal("json <b>", Load());
        folder.Write("chat_template.jinja", "jinja {{ messages | length }} {{ enable_thinking is defined }}");
        Assert.Equal("jinja 1 False", Load());
        folder.Write("chat_template.jinja", "{{ a }}\n{{ b | nope }}");
        Assert.EndsWith("chat_template.jinja: line 2: the filter 'nope' is not supported", Assert.Throws<ConfigException>(() => Load()).Message);

        string Load() => ModelTemplate.Load(folder.Path).Render([ModelTemplate.Message("user", "Q")], asksForAnswer: true).Text;
    }

    private static Tokenizer Tokens { get; } = Tokenizer.Load(TestFiles.Golden("qwen3_vl/model"));

    private static Conversation Two { get; } =
        Conversations.Of("d", 1, null, [("Q", "<think>\nHo.\n</think>\n\nA"), ("Q2", "<think>\nHm.\n</think>\n\nA2")]);

    private static string Trained(EncodedSample sample) => Tokens.Decode([.. sample.Labels.Where(label => label != EncodedSample.Ignored)]);

    private static Conversation Conversation(JsonElement messages) => new([.. messages.EnumerateArray().Select(message =>
        new Message(Enum.Parse<Role>(message.GetProperty("role").GetString()!, ignoreCase: true), [new Text(message.GetProperty("content").GetString()!)]))]);

    /// <summary>Lays a template into the folder: one of the goldens, or Qwen2.5-VL's own.</summary>
    private void Lay(string template)
    {
        if (template.Length > 0)
        {
            folder.Write("chat_template.jinja", File.ReadAllText(TestFiles.Golden($"chat_templates/templates/{template}")));
        }
        else
        {
            folder.Write("chat_template.json", File.ReadAllText(TestFiles.Golden("qwen2_5_vl_tiny/model/chat_template.json")));
        }
    }

    private SampleEncoder Encoder(string golden, DataOptions options)
    {
        var model = TestFiles.Golden($"{golden}/model");
        var media = new Qwen2VlMedia(Qwen2VlImageProcessor.Load(model, new PreResize(65536, 4096)));
        return new SampleEncoder(ChatTemplates.Load(folder.Path, ChatTemplates.Qwen3VlNothink), Tokenizer.Load(model), media, options);
    }
}
