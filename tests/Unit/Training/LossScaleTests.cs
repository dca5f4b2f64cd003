using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>The scale of the loss by itself, as PyTorch's GradScaler moves it.</summary>
public sealed class LossScaleTests
{
    [Fact]
    public void It_halves_at_an_overflow_and_doubles_after_two_thousand_good_steps()
    {
        var scale = new LossScale();
        Assert.Equal(65536, scale.Value);
        for (var i = 0; i < 1999; i++)
        {
            scale = scale.After(finite: true);
        }

        Assert.Equal((65536.0, 1999), (scale.Value, scale.GoodSteps));
        Assert.Equal((131072.0, 0), (scale.After(true).Value, scale.After(true).GoodSteps));
        Assert.Equal((32768.0, 0), (scale.After(false).Value, scale.After(false).GoodSteps));
    }

    [Fact]
    public void A_run_goes_on_after_overflows_until_the_scale_is_used_up_and_without_one_not_at_all()
    {
        var progress = new RunProgress { Step = 0, TotalSteps = 9, Samples = 1, SamplesPerStep = 1, Seed = 1 };
        Assert.Same(progress, progress.Rescaled(finite: true));
        Assert.Null(progress.Rescaled(finite: false));
        var (run, steps) = (progress with { Scale = new LossScale() }, 0);
        while (run.Rescaled(finite: false) is { } next)
        {
            run = next;
            steps++;
        }

        Assert.Equal((16, 16, 1.0), (steps, run.Overflows, run.Scale!.Value));
    }
}
