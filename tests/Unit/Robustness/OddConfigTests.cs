using System.Text.Json.Nodes;
using Fovea.Cli.Verbs;
using Fovea.Models;
using Fovea.Models.Qwen25Vl;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Robustness;

/// <summary>Values of config.json that no model can have are refused by name, before anything is divided or allocated by them.</summary>
public sealed class OddConfigTests : IDisposable
{
    private readonly TinyRun run = new();

    public void Dispose()
    {
        run.Dispose();

        // A model that could not be built leaves its weights to the collector; the next test counts handles.
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    [Theory]
    [InlineData("num_attention_heads", "0", "must be a whole number from 1")]
    [InlineData("num_key_value_heads", "0", "must be a whole number from 1")]
    [InlineData("num_key_value_heads", "2.5", "must be a whole number from 1")]
    [InlineData("num_hidden_layers", "1000000000", "must be a whole number from 1 to 4096")]
    [InlineData("hidden_size", "-64", "must be a whole number from 1")]
    [InlineData("vocab_size", "99999999999999999999", "must be a whole number from 1")]
    [InlineData("intermediate_size", "null", "is missing")]
    [InlineData("rms_norm_eps", "1e400", "must be a number")]
    [InlineData("hidden_act", "3", "must be \"silu\"")]
    [InlineData("vision_config", "[]", "must be an object")]
    [InlineData("tie_word_embeddings", "\"yes\"", "must be true or false")]
    [InlineData("rope_scaling", "{\"type\": \"mrope\", \"mrope_section\": [\"4\", 6, 6]}", "must be a list of whole numbers")]
    [InlineData("rope_scaling", "{\"type\": \"mrope\", \"mrope_section\": [4.5, 6, 6]}", "must be a list of whole numbers")]
    public void A_value_that_cannot_be_is_refused_with_file_key_and_what_was_expected(string key, string value, string expected)
    {
        var folder = Changed(key, value);
        var error = Assert.Throws<ConfigException>(() => Qwen25VlConfig.Read(ConfigReader.Open(Families.ConfigPath(folder))));
        Assert.Contains(Families.ConfigPath(folder), error.Message);
        Assert.Contains(key, error.Message);
        Assert.Contains(expected, error.Message);
    }

    [Theory]
    [InlineData("num_attention_heads", "1e0", 1)]
    [InlineData("num_attention_heads", "2.0", 2)]
    public void A_whole_number_may_be_written_with_a_point_or_an_exponent(string key, string value, int expected) =>
        Assert.Equal(expected, ConfigReader.Open(Families.ConfigPath(Changed(key, value))).Int(key));

    [Fact]
    public void A_configuration_that_the_weights_fit_to_answers_a_question_or_is_refused()
    {
        var folder = run.CopyOfModel();
        var image = Directory.GetFiles(TestFiles.Golden("qwen2_5_vl_tiny/data/images")).Order(StringComparer.Ordinal).First();
        var path = Families.ConfigPath(folder);
        var config = new TrainConfig { Model = new ModelSection { ModelNameOrPath = folder, UseCpu = true } };
        var mutations = FileMutations.OfJson(File.ReadAllText(path), UserFileFuzzTests.Count(60), UserFileFuzzTests.Seed + 31).ToList();
        UserFileFuzzTests.Fuzz(path, mutations, () =>
        {
            var model = VisionModel.LoadAsync(config, source: null, fromModel: true, _ => { }, mesh: null, CancellationToken.None).GetAwaiter().GetResult();
            using var end = new Ending(model);
            var options = model.Generation with { MaxNewTokens = 2, DoSample = false };
            var console = new ChatConsole(model.NewChat(), options, TextWriter.Null, TextWriter.Null, null);
            console.Attach(image);
            console.Ask("<image>hi");
        }, "config.json", folder);
    }

    private sealed class Ending(VisionModel model) : IDisposable
    {
        public void Dispose() => model.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    private string Changed(string key, string value)
    {
        var folder = run.CopyOfModel();
        var path = Families.ConfigPath(folder);
        var json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        json[key] = "hole";
        File.WriteAllText(path, json.ToJsonString().Replace("\"hole\"", value));
        return folder;
    }
}
