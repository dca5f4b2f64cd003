using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Tests.Distributed;

/// <summary>Runs on two ranks that commit 1454e90 began, with ZeRO-1, 2 and 3, are finished by this build with the losses that 1454e90 gives.</summary>
[Trait("Category", "Long")]
public sealed class OldDividedCheckpointTests : NativeTest
{
    private readonly OldCheckpoints old = new();

    [Theory]
    [InlineData("zero1")]
    [InlineData("zero2")]
    [InlineData("zero3")]
    public void A_checkpoint_of_two_ranks_of_an_older_build_is_finished_with_its_losses(string name)
    {
        var (config, overrides) = old.Resumed(name);
        RankGroup.Run(2, ["train", config, .. overrides]);
        old.Check(name, 1e-5);
        old.CheckUnknown(name, RunSettings.Of(TrainConfig.Load(config, overrides)), OldCheckpoints.Told(OldCheckpoints.Of(name))!);
    }

    protected override void Cleanup() => old.Dispose();
}
