using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Tests.Unit.Robustness;

namespace Fovea.Tests.Parity.Qwen35;

/// <summary><c>template: chat_template</c> from training to answers: a folder with a template of its own that writes images and tools.</summary>
[Trait("Category", "Long")]
public sealed class OwnTemplateTests : NativeTest
{
    private const string Call = "{\"name\": \"look\", \"arguments\": {\"at\": \"left\"}}";
    private readonly TinyRun run = new();

    [Theory]
    [InlineData("qwen3_5")]
    [InlineData("qwen3_vl")]
    public void A_run_trains_predicts_chats_and_checks_its_data_with_the_folder_s_template(string golden)
    {
        var model = run.CopyOfModel(source: TestFiles.Golden($"{golden}/model"));
        File.Copy(TestFiles.Golden("chat_templates/templates/tools.jinja"), Path.Combine(model, "chat_template.jinja"), overwrite: true);
        var image = TestFiles.Golden($"{golden}/data/images/one.png");
        run.Write("rows.json", new JsonArray([.. Enumerable.Range(0, 6).Select(i => Row(i, image))]).ToJsonString());
        string[] keys =
        [
            $"model_name_or_path={model}", "template=chat_template", "dataset=rows.json", $"dataset_dir={run.Folder}", "max_steps=3", "micro_batch_tokens=400",
            "save_steps=3",
        ];
        Succeeds(run.Train("out", keys));
        Assert.All(run.Losses("out"), loss => Assert.InRange(loss, 0.1, 20));

        // What was trained is what is asked: with the same template, up to where the answer begins.
        Succeeds(["predict", run.Config, .. keys, $"output_dir={run.Out()}", "dataset=null", "eval_dataset=rows.json", "do_sample=false", "max_new_tokens=4",
            "skip_special_tokens=false"]);
        var lines = File.ReadLines(Path.Combine(run.Out(), "generated_predictions.jsonl")).Select(line => JsonNode.Parse(line)!).ToList();
        Assert.Equal(6, lines.Count);
        Assert.StartsWith("<|im_start|>system\nFunctions:\nlook: {\"type\": \"function\"", (string)lines[0]["prompt"]!);
        Assert.EndsWith("<tool_response>\na cat\n</tool_response><|im_end|>\n<|im_start|>assistant\n", (string)lines[0]["prompt"]!);
        Assert.Equal("A cat 0.<|im_end|>\n", (string)lines[0]["label"]!);
        Assert.Equal("<tool_call>\n<function=look>\n<parameter=at>\nleft\n</parameter>\n</function>\n</tool_call><|im_end|>\n", (string)lines[1]["label"]!);
        Assert.All(lines, line => Assert.Contains("<|vision_start|><|image_pad|>", (string)line["prompt"]!));

        Succeeds(["chat", run.Config, .. keys, $"output_dir={run.Out()}", "--prompt", "What?", "--image", image, "--greedy", "--max-new-tokens", "2"]);
        Succeeds(["chat", "--model", model, "--template", "chat_template", "--prompt", "Q?", "--image", image, "--greedy", "--max-new-tokens", "2", "--cpu"]);
        Succeeds(["data", "check", run.Config, .. keys]);

        // A checkpoint goes on with its template alone.
        File.AppendAllText(Path.Combine(model, "chat_template.jinja"), "{# another #}");
        var (code, errors) = FailureTests.Invoke(run.Train("out", [.. keys, "max_steps=4", "resume_from_checkpoint=true"]));
        Assert.NotEqual(0, code);
        Assert.Contains(errors, error => error.Contains("template", StringComparison.Ordinal));
    }

    protected override void Cleanup() => run.Dispose();

    /// <summary>A question with an image; then a call and its result before the answer, or the call as the answer.</summary>
    private static JsonObject Row(int number, string image)
    {
        JsonArray turns = [Turn("human", "<image>What is there?"), Turn("function_call", Call)];
        if (number % 2 == 0)
        {
            turns.Add(Turn("observation", "a cat"));
            turns.Add(Turn("gpt", $"A cat {number}."));
        }

        return new JsonObject
        {
            ["conversations"] = turns,
            ["tools"] = JsonSerializer.Serialize(new[] { new { name = "look", parameters = new { type = "object" } } }),
            ["images"] = new JsonArray(image),
        };
    }

    private static JsonObject Turn(string speaker, string text) => new() { ["from"] = speaker, ["value"] = text };

    private static void Succeeds(string[] arguments)
    {
        var (code, errors) = FailureTests.Invoke(arguments);
        Assert.True(code == 0, string.Join("\n", errors));
    }
}
