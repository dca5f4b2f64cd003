using System.Text.Json;

namespace Fovea.Tests.Unit.Cli;

/// <summary><c>fovea verify</c>: two sides that answer alike, and what it says where they do not.</summary>
public sealed class VerifyVerbTests : IDisposable
{
    private static readonly string Model = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly string Adapter = TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens");
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_base_with_its_adapter_equals_the_merged_folder_and_differs_from_the_base_alone()
    {
        var merged = folder["merged"];
        using (var export = FoveaProcess.Start(["export", "--model", Model, "--adapter", Adapter, "--out", merged]))
        {
            Assert.True(export.Wait() == 0, export.Output + export.Errors);
        }

        string[] words = ["verify", Model, merged, "--adapter-a", Adapter, "--cpu", "--max-new-tokens", "6"];
        using (var same = FoveaProcess.Start(words))
        {
            Assert.True(same.Wait() == 0, same.Output + same.Errors);
        }

        using (var base_ = FoveaProcess.Start(["verify", Model, Model, "--adapter-a", Adapter, "--cpu", "--max-new-tokens", "6", "--limit", "2"]))
        {
            Assert.Equal(1, base_.Wait());
            Assert.Contains("2 different", base_.Output, StringComparison.Ordinal);
        }

        File.Delete(Path.Combine(merged, "preprocessor_config.json"));
        using var lacking = FoveaProcess.Start([.. words, "--limit", "1"]);
        Assert.Equal(2, lacking.Wait());
        Assert.Contains("preprocessor_config.json", lacking.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_of_B_that_are_missing_are_told_before_A_is_loaded()
    {
        foreach (var missing in new[] { "preprocessor_config.json", "tokenizer.json", "model.safetensors" })
        {
            var lacking = folder[$"without-{missing}"];
            foreach (var file in Directory.GetFiles(Model).Where(file => Path.GetFileName(file) != missing))
            {
                folder.Write($"without-{missing}/{Path.GetFileName(file)}", File.ReadAllBytes(file));
            }

            Refused(missing, Model, lacking);
        }

        folder.Write("adapter/adapter_config.json", File.ReadAllBytes(Path.Combine(Adapter, "adapter_config.json")));
        Refused("adapter_model", Model, Model, "--adapter-b", folder["adapter"]);

        static void Refused(string told, params string[] words)
        {
            var (code, _, errors) = FoveaProcess.Run(["verify", .. words, "--cpu"]);
            Assert.Equal(2, code);
            Assert.Contains(told, errors, StringComparison.Ordinal);
            Assert.DoesNotContain("loading", errors, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void In_16_bits_two_folders_of_one_model_are_equal_up_to_near_ties()
    {
        var json = folder["result.json"];
        var (code, output, errors) = FoveaProcess.Run(
            "verify", Model, Model, "--cpu", "--dtype", "bfloat16", "--max-new-tokens", "8", "--limit", "4", "--json", json);
        Assert.True(code == 0, output + errors);
        Assert.Contains("near tie", output, StringComparison.Ordinal);
        using var result = JsonDocument.Parse(File.ReadAllBytes(json));
        var outcomes = result.RootElement.GetProperty("rows").EnumerateArray().Select(row => row.GetProperty("outcome").GetString()).ToList();
        Assert.Equal(4, outcomes.Count);
        Assert.All(outcomes, outcome => Assert.Contains(outcome, (string[])["equal", "near_tie"]));
        Assert.Contains("bf16", result.RootElement.GetProperty("rule").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_server_that_answers_something_else_is_found_out()
    {
        // A text that no model of random weights gives.
        using var server = new FakeChatServer(
            _ => """{"index":0,"message":{"role":"assistant","content":"something else"},"finish_reason":"stop"}""");
        using var verify = FoveaProcess.Start(["verify", Model, "tiny", "--url", $"{server.Url}/v1", "--cpu", "--max-new-tokens", "4", "--limit", "1"]);
        Assert.Equal(1, verify.Wait());
        Assert.Contains("1 different", verify.Output, StringComparison.Ordinal);
        var body = Assert.Single(server.Bodies);
        Assert.Equal(0, body.GetProperty("temperature").GetDouble());
        Assert.Equal(("tiny", true), (body.GetProperty("model").GetString(), body.GetProperty("logprobs").GetBoolean()));
    }
}
