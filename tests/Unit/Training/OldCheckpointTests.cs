using System.Text.Json.Nodes;
using Fovea.Runs.Files;
using Fovea.Training.Config;
using Fovea.Training.Recipes;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>Runs that commit 1454e90 began are finished by this build with the losses that 1454e90 gives, to the bit.</summary>
public sealed class OldCheckpointTests : NativeTest
{
    private readonly OldCheckpoints old = new();

    [Theory]
    [InlineData("lora", 1e-5)]
    [InlineData("bf16", 5e-3)]
    [InlineData("fp16", 5e-3)]
    [InlineData("full", 1e-5)]
    [InlineData("minimind", 1e-5)]
    [InlineData("minimind_fp16", 5e-3)]
    [InlineData("minimind_resume", 1e-5)]
    public void A_checkpoint_of_an_older_build_is_finished_with_its_losses(string name, double nearby)
    {
        var settings = Resume(name);
        old.Check(name, nearby);
        if (OldCheckpoints.Told(OldCheckpoints.Of(name)) is { } told)
        {
            old.CheckUnknown(name, settings, told);
        }
    }

    [Theory]
    [InlineData("weight_decay", @"does not record ([a-z0-9_ ]+, )*weight_decay(, [a-z0-9_ ]+)*: whether")]
    [InlineData("settings", "does not record the settings that it was made with")]
    public void A_setting_that_a_checkpoint_does_not_tell_is_reported_and_never_refused(string key, string expected)
    {
        var checkpoint = Directory.CreateDirectory(old.Out("checkpoint-3")).FullName;
        foreach (var file in Directory.GetFiles(OldCheckpoints.Of("lora")))
        {
            File.Copy(file, Path.Combine(checkpoint, Path.GetFileName(file)));
        }

        var path = Path.Combine(checkpoint, "fovea_state.json");
        var state = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        string[] absent = key == "settings" ? [key, "template", "base_model"] : [key];
        Assert.All(absent, name => Assert.True(key == "settings" ? state.Remove(name) : state["settings"]!.AsObject().Remove(name)));
        File.WriteAllText(path, state.ToJsonString());
        Resume("lora", checkpoint);
        old.Check("lora", 1e-5);
        Assert.Matches(expected, File.ReadAllText(Path.Combine(old.Out("lora"), RunningLogSink.FileName)));
    }

    protected override void Cleanup() => old.Dispose();

    private IReadOnlyDictionary<string, string> Resume(string name, string? from = null)
    {
        var (path, overrides) = old.Resumed(name, from);
        var config = TrainConfig.Load(path, overrides);
        Assert.False(SupervisedFineTune.Run(config, []).Interrupted);
        return RunSettings.Of(config);
    }
}
