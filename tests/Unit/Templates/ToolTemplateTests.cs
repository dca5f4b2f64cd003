using System.Text.Json;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Tests.Parity;

namespace Fovea.Tests.Unit.Templates;

/// <summary>Tools, calls of them and their results from a dataset's rows through a model's own template, beside what Transformers writes.</summary>
public sealed class ToolTemplateTests : IDisposable
{
    private const string MiniMind = "minimind_c/tokenizer/tokenizer_config.json";
    private const string Call = """{"name": "find", "arguments": {"what": "cat"}}""";
    private static readonly Tokenizer Tokens = Tokenizer.Load(TestFiles.Golden("qwen3_vl/model"));
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string, int, string> Rows()
    {
        var rows = new TheoryData<string, int, string>();
        var tools = Golden.Json(TestFiles.Golden("chat_templates/cases.json")).GetProperty("tools");
        for (var i = 0; i < tools.GetArrayLength(); i++)
        {
            foreach (var template in tools[i].GetProperty("texts").EnumerateObject())
            {
                rows.Add("openai", i, template.Name);
                if (tools[i].GetProperty("sharegpt").ValueKind != JsonValueKind.Null)
                {
                    rows.Add("sharegpt", i, template.Name);
                }
            }
        }

        return rows;
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void Rows_of_both_forms_are_written_as_Transformers_writes_them(string form, int row, string template)
    {
        var json = Golden.Json(TestFiles.Golden("chat_templates/cases.json")).GetProperty("tools")[row];
        Lay(template);
        folder.Write("rows.json", $"[{json.GetProperty(form).GetRawText()}]");
        using var data = DatasetLoader.Load(Options());

        var name = json.GetProperty("name").GetString();
        if ((template, name) == (MiniMind, "a thought"))
        {
            // It asks with an empty thought.
            Assert.Contains("than it asks for its answer", Assert.Throws<BadSampleException>(() => Encoder(Options()).Encode(data.Train[0])).Message);
            return;
        }

        // The template that drops earlier thoughts writes the first of two questions in another way.
        var sample = Encoder(Options() with { TrainOnPrompt = (template, name) == ("thinking.jinja", "a call at the end") }).Encode(data.Train[0]);
        Assert.Equal(json.GetProperty("texts").GetProperty(template).GetString(), Tokens.Decode(sample.Ids));
    }

    [Fact]
    public void The_answers_alone_are_trained_calls_among_them()
    {
        Lay("tools.jinja");
        var row = Load($$$"""
            {"conversations": [{"from": "human", "value": "Find it."}, {"from": "function_call", "value": {{{JsonSerializer.Serialize(Call)}}}},
             {"from": "observation", "value": "here"}, {"from": "gpt", "value": "Found."}], "tools": [{"name": "find"}]}
            """);
        Assert.Equal(
            "<tool_call>\n<function=find>\n<parameter=what>\ncat\n</parameter>\n</function>\n</tool_call><|im_end|>\nFound.<|im_end|>\n",
            Trained(Options(), row));
        Assert.Equal("Found.<|im_end|>\n", Trained(Options() with { MaskHistory = true }, row));

        var asked = row with { Messages = [.. row.Messages.SkipLast(1)] };
        var prompt = Tokens.Decode(Encoder(Options()).EncodePrompt(asked, []));
        Assert.EndsWith("<|im_start|>user\n<tool_response>\nhere\n</tool_response><|im_end|>\n<|im_start|>assistant\n", prompt);
        Assert.Contains("""find: {"type": "function", "function": {"name": "find"}}""", prompt);
        Assert.Equal("Found.<|im_end|>\n", Encoder(Options()).LastAnswer(row, []));
    }

    [Fact]
    public void Pictures_may_stand_in_results()
    {
        Lay("tools.jinja");
        var image = TestFiles.Golden("qwen3_vl/data/images/one.png");
        var row = Load($$$"""
            {"messages": [{"role": "user", "content": "<image>Zoom."},
             {"role": "assistant", "content": null, "tool_calls": [{"id": "a", "function": {{{Call}}}}]},
             {"role": "tool", "content": "<image> is larger", "tool_call_id": "a"}, {"role": "assistant", "content": "A cat."}],
             "tools": [{"type": "function", "function": {"name": "find"}}],
             "images": [{{{JsonSerializer.Serialize(image)}}}, {{{JsonSerializer.Serialize(image)}}}]}
            """);
        var sample = Encoder(Options()).Encode(row);
        Assert.Equal(2, sample.Images.Count);
        var text = Tokens.Decode(sample.Ids.AsSpan(sample.Images[1].Offset + sample.Images[1].Tokens));
        Assert.StartsWith("<|vision_end|> is larger\n</tool_response><|im_end|>\n<|im_start|>assistant\nA cat.", text);
        Assert.Contains("<tool_response of=\"a\">\n<|vision_start|>", Tokens.Decode(sample.Ids));
    }

    [Theory]
    [InlineData(true, false, "does not write tools,")]
    [InlineData(false, true, "does not write calls of tools,")]
    public void A_template_that_leaves_tools_out_refuses_the_row(bool offers, bool calls, string problem)
    {
        File.Copy(TestFiles.Golden("minicpm_v26/model/tokenizer_config.json"), folder.File("tokenizer_config.json"));
        var answers = calls ? $$$"""{"from": "function_call", "value": {{{JsonSerializer.Serialize(Call)}}}}""" : """{"from": "gpt", "value": "A"}""";
        var tools = offers ? ""","tools": [{"name": "find"}]""" : string.Empty;
        var row = Load($$$"""{"conversations": [{"from": "human", "value": "Q"}, {{{answers}}}]{{{tools}}}}""");
        var e = Assert.Throws<BadSampleException>(() => Encoder(Options()).Encode(row));
        Assert.Contains("tokenizer_config.json " + problem, e.Message);
        folder.Write(
            "chat_template.jinja", "{% for m in messages if m.role != 'tool' %}{{ m.content }}{{ m.tool_calls | default('') }}{% endfor %}{{ tools }}");
        var result = new Conversation(
            [Message.User("Q"), Message.Assistant(new ToolCall("f", "{}")), new Message(Role.Tool, [new ToolResult("r")]), Message.Assistant("A")]);
        Assert.Contains("does not write the results of tools", Assert.Throws<BadSampleException>(() => Encoder(Options()).Encode(result)).Message);
    }

    [Fact]
    public void Named_templates_refuse_tools_by_name_with_a_remedy()
    {
        folder.Write("rows.jsonl", $$$"""
            {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}], "tools": [{"name": "find"}]}
            {"conversations": [{"from": "human", "value": "Q"}, {"from": "function_call", "value": {{{JsonSerializer.Serialize(Call)}}}}]}
            {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "", "tool_calls": [{"function": {{{Call}}}}]}]}
            """);
        var options = Options() with { Dataset = [folder.File("rows.jsonl")], Template = "qwen3_vl" };
        var e = Assert.Throws<ConfigException>(() => DatasetLoader.Load(options));
        Assert.Contains("row 1: has tools, which the template does not write: set template: chat_template", e.Message);
        Assert.Contains("row 2: message 2 is a tool call or its result, which the template does not write: set template: chat_template", e.Message);
        Assert.Contains("row 3: message 2 is a tool call", e.Message);
        using var data = DatasetLoader.Load(options with { Template = ChatTemplates.OfModel });
        Assert.Equal(3, data.Train.Count);
        var given = new SampleEncoder(ChatTemplates.Qwen3VlNothink, Tokens, null, options);
        string[] reasons = ["has tools, which the template does not write: set template", "message 2 holds a tool call, which is not supported: set template"];
        Assert.All(reasons, (reason, i) => Assert.Contains(reason, Assert.Throws<BadSampleException>(() => given.Encode(data.Train[i])).Message));
    }

    [Theory]
    [InlineData("function_call", "find(cat)", "message 2: the text of a tool call must be JSON")]
    [InlineData("function_call", "{\"arguments\": {}}", "message 2: a tool call must be an object with name and arguments")]
    [InlineData("function_call", "{\"name\": \"f\"}", "message 2: a tool call has no arguments")]
    [InlineData("function_call", "{\"name\": \"f\", \"arguments\": [1]}", "message 2: the arguments of a tool call must be an object, not a list")]
    [InlineData("function_call", "{\"name\": \"f\", \"arguments\": \"{\"}", "message 2: the arguments of a tool call is not valid JSON")]
    [InlineData("observation", "r", "message 2 is by 'observation' where 'gpt' must speak")]
    public void Calls_that_cannot_be_read_name_the_message(string speaker, string text, string problem)
    {
        var turn = $$$"""{"from": "{{{speaker}}}", "value": {{{JsonSerializer.Serialize(text)}}}}""";
        folder.Write("rows.json", $$$"""[{"conversations": [{"from": "human", "value": "Q"}, {{{turn}}}]}]""");
        Assert.Contains(problem, Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options())).Message);
    }

    [Theory]
    [InlineData("\"[{\"", "tools is not valid JSON")]
    [InlineData("{\"name\": \"f\"}", "tools must be a list of tools, not an object")]
    [InlineData("[{\"description\": \"d\"}]", "tools[0] must be an object with a name")]
    public void Tools_that_cannot_be_read_are_refused(string tools, string problem)
    {
        folder.Write("rows.json", $$$"""[{"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}], "tools": {{{tools}}}}]""");
        Assert.Contains(problem, Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options())).Message);
    }

    private DataOptions Options() => new() { Dataset = [folder.File("rows.json")], DatasetDir = folder.Path, Template = ChatTemplates.OfModel };

    private Conversation Load(string row)
    {
        folder.Write("rows.json", $"[{row}]");
        using var data = DatasetLoader.Load(Options());
        return data.Train[0];
    }

    private string Trained(DataOptions options, Conversation row) =>
        Tokens.Decode([.. Encoder(options).Encode(row).Labels.Where(label => label != EncodedSample.Ignored)]);

    private void Lay(string template)
    {
        if (template == MiniMind)
        {
            File.Copy(TestFiles.Golden(template), folder.File("tokenizer_config.json"));
        }
        else
        {
            folder.Write("chat_template.jinja", File.ReadAllText(TestFiles.Golden($"chat_templates/templates/{template}")));
        }
    }

    private SampleEncoder Encoder(DataOptions options)
    {
        var media = new Qwen2VlMedia(Qwen2VlImageProcessor.Load(TestFiles.Golden("qwen3_vl/model"), new PreResize(65536, 4096)));
        return new SampleEncoder(ChatTemplates.Load(folder.Path, ChatTemplates.Qwen3VlNothink), Tokens, media, options);
    }
}
