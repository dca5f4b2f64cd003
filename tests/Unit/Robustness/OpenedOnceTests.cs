using Fovea.Models;
using Fovea.Tests.Parity.MiniMindV;

namespace Fovea.Tests.Unit.Robustness;

/// <summary>A model folder's config.json is opened once a run or verb, whatever is then made of the folder.</summary>
public sealed class OpenedOnceTests : NativeTest
{
    private const string Name = "config.json";

    private readonly TinyRun run = new();

    [Fact]
    public void A_run_and_every_verb_open_it_once()
    {
        var model = run.CopyOfModel();
        using var opened = new OpenedFiles(model);
        Opens(1, run.Train("out", $"model_name_or_path={model}", "max_steps=1"));
        Opens(1, run.Train("out", $"model_name_or_path={model}", "max_steps=2", "resume_from_checkpoint=true"));
        Opens(1, ["eval", run.Config, $"model_name_or_path={model}", $"output_dir={run.Out()}", "max_samples=2"]);
        Opens(1, ["chat", "--model", model, "--adapter", run.Out(), "--prompt", "hi", "--max-new-tokens", "1", "--cpu"]);
        Opens(1, ["plan", run.Config, $"model_name_or_path={model}"]);
        Opens(1, ["data", "check", run.Config, $"model_name_or_path={model}"]);
        Opens(2, ["export", "--model", model, "--adapter", run.Out(), "--out", run.Out("merged")]); // the result gets a copy of the file as it is then

        void Opens(int times, string[] arguments)
        {
            var (code, errors) = FailureTests.Invoke(arguments);
            Assert.True(code == 0, string.Join('\n', errors));
            Assert.Equal(times, opened.Count(Name));
        }
    }

    [Fact]
    public void A_checkpoint_that_a_run_goes_on_from_is_a_folder_of_its_own()
    {
        Assert.Equal(0, FailureTests.Invoke(run.Train("out", "finetuning_type=full", "max_steps=1", "save_steps=1")).Code);
        using var opened = new OpenedFiles(Path.Combine(run.Out(), "checkpoint-1"));
        Assert.Equal(0, FailureTests.Invoke(run.Train("out", "finetuning_type=full", "max_steps=2", "save_steps=2", "resume_from_checkpoint=true")).Code);
        Assert.Equal(1, opened.Count(Name));
    }

    [Theory]
    [InlineData("a", "clip-vit-base-patch16")]
    [InlineData("c", "siglip2-base-p32-256-ve")]
    public void So_is_that_of_an_encoder_in_a_folder_of_its_own(string generation, string name)
    {
        using var folder = new MiniMindFolder(generation, "dense");
        var encoder = run.CopyOfModel("encoder", folder.Golden($"vision/{name}"));
        var config = Path.Combine(folder.Path, Name);
        File.WriteAllText(config, File.ReadAllText(config).Replace(folder.Golden($"vision/{name}"), encoder, StringComparison.Ordinal));
        using var own = new OpenedFiles(folder.Path);
        using var other = new OpenedFiles(encoder);

        var source = ModelSource.Open(folder.Path);
        source.Process();
        source.Load(new ModelOptions()).Dispose();

        Assert.Equal((1, 1), (own.Count(Name), other.Count(Name)));
    }

    protected override void Cleanup() => run.Dispose();
}
