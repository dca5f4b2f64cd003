using Fovea.Cli.Verbs;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Library;

/// <summary>Models in 4 bits as a program asks for them.</summary>
public sealed class FourBitLibraryTests : NativeTest
{
    private static readonly string Base = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private readonly TempFolder folder = new();

    [Fact]
    public void Settings_made_in_code_are_those_of_a_file()
    {
        var yaml = TrainConfig.Parse(
            """
            model_name_or_path: base
            dataset: a.json
            output_dir: out
            quantization_bit: 4
            quantization_type: fp4
            double_quantization: false
            llm_int8_skip_modules: [lm_head, k_proj]
            """,
            "test");
        var code = FineTune.Of("base").On("a.json").To("out").With(o =>
        {
            o.Quantization.Bits = 4;
            o.Quantization.Type = FourBitType.Fp4;
            o.Quantization.DoubleQuantization = false;
            o.Quantization.SkipModules = ["lm_head", "k_proj"];
        });
        Assert.Equal(yaml.ToDictionary(), code.Configuration(ConfigUse.Train).ToDictionary());
    }

    [Fact]
    public async Task A_model_is_written_as_the_command_line_writes_it_and_answers_as_when_it_is_rounded_as_it_is_loaded()
    {
        var settings = TrainConfig.Parse("export_quantization_bit: 4\ndouble_quantization: false\ninfer_dtype: bfloat16", "test", [], ConfigUse.Any);
        ExportVerb.Plan(settings, Base, [], folder["verb"], force: false).Run(_ => { });
        var rounding = new FourBitRounding { DoubleQuantization = false };
        var written = await ModelFolder.Open(Base).MergeAsync(folder["library"], [], new() { FourBit = rounding, Precision = Precision.Bf16 });
        foreach (var name in new[] { "model.safetensors", "config.json" })
        {
            Assert.Equal(File.ReadAllBytes(Path.Combine(folder["verb"], name)), File.ReadAllBytes(Path.Combine(written.Path, name)));
        }

        var dense = await ModelFolder.Open(Base).MergeAsync(folder["dense"], [], new() { Precision = Precision.Bf16 });
        var read = await Answer(written.Path, new() { Device = "cpu" });
        Assert.Equal((await Answer(dense.Path, new() { Device = "cpu", FourBit = rounding })).Text, read.Text);
        Assert.Contains("in 4 bits in its files", read.Notices);
        Assert.NotEqual(read.Text, (await Answer(dense.Path, new() { Device = "cpu" })).Text);
    }

    protected override void Cleanup() => folder.Dispose();

    private static async Task<(string Text, string Notices)> Answer(string path, VisionModelOptions options)
    {
        await using var model = await VisionModel.LoadAsync(path, options);
        var answer = await model.AnswerAsync([Message.User("What do you see?")], model.Generation with { DoSample = false, MaxNewTokens = 24 });
        return (answer.Text, string.Concat(model.Notices));
    }
}
