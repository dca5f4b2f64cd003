using Fovea.Training.Config;
using Fovea.Training.Optim;

namespace Fovea.Tests.Unit.Training;

/// <summary>DeepSpeed's schedules, against the formulas of its <c>lr_schedules.py</c> written out step by step.</summary>
public sealed class ScheduleTests
{
    private const double Rate = 2e-4;

    [Fact]
    public void WarmupLR_follows_the_logarithm_and_then_stays()
    {
        // warmup_num_steps 5, last_batch_iteration -1, 0, 1, ...: min + (max - min) * ln(i + 1) / ln(5).
        var schedule = Make("{type: WarmupLR, params: {warmup_min_lr: auto, warmup_max_lr: auto, warmup_num_steps: auto}}");
        double[] gammas = [0, 0, 0.43067655807339306, 0.6826061944859854, 0.8613531161467861, 1, 1, 1];
        for (var step = 0; step < gammas.Length; step++)
        {
            Assert.Equal(Rate * gammas[step], schedule.Rate(step), 1e-15);
        }

        Assert.Equal(Rate, schedule.Rate(19), 1e-15);
    }

    [Fact]
    public void A_linear_warm_up_starts_from_the_lowest_rate()
    {
        var schedule = Make("{type: WarmupLR, params: {warmup_min_lr: 1e-5, warmup_num_steps: 5, warmup_type: linear}}");
        double[] rates = [1e-5, 1e-5, 4.8e-5, 8.6e-5, 1.24e-4, 1.62e-4, Rate, Rate];
        for (var step = 0; step < rates.Length; step++)
        {
            Assert.Equal(rates[step], schedule.Rate(step), 1e-15);
        }
    }

    [Fact]
    public void WarmupDecayLR_ends_at_the_lowest_rate()
    {
        // After the warm-up: (total - i) / (total - warm-up) with i one behind the step.
        var schedule = Make("{type: WarmupDecayLR, params: {warmup_max_lr: auto, warmup_num_steps: auto, total_num_steps: auto}}");
        Assert.Equal(0, schedule.Rate(0));
        Assert.Equal(Rate * 0.8613531161467861, schedule.Rate(4), 1e-15);
        Assert.Equal(Rate, schedule.Rate(6), 1e-15);
        Assert.Equal(Rate * 14 / 15, schedule.Rate(7), 1e-15);
        Assert.Equal(Rate * 2 / 15, schedule.Rate(19), 1e-15);
        Assert.Equal(0, schedule.Rate(21), 1e-15);
    }

    [Fact]
    public void WarmupCosineLR_ends_at_its_part_of_the_rate()
    {
        var schedule = Make(
            "{type: WarmupCosineLR, params: {warmup_min_ratio: 0.1, cos_min_ratio: 0.2, warmup_type: linear, warmup_num_steps: auto, total_num_steps: auto}}");
        Assert.Equal(0, schedule.Rate(0));
        Assert.Equal(Rate * 0.1, schedule.Rate(1), 1e-15);
        Assert.Equal(Rate * (0.1 + (0.9 * 0.4)), schedule.Rate(3), 1e-15);

        // i = 5: the first of the 15 parts of half a turn; i = 18: 14 of them.
        Assert.Equal(Rate * (0.2 + (0.8 * (1 + Math.Cos(Math.PI / 15)) / 2)), schedule.Rate(6), 1e-15);
        Assert.Equal(Rate * (0.2 + (0.8 * (1 + Math.Cos(Math.PI * 14 / 15)) / 2)), schedule.Rate(19), 1e-15);
        Assert.Equal(Rate * 0.2, schedule.Rate(25), 1e-15);
    }

    [Fact]
    public void A_run_of_another_length_than_the_files_is_refused()
    {
        var config = Config("{type: WarmupDecayLR, params: {warmup_max_lr: auto, warmup_num_steps: 5, total_num_steps: 100}}");

        var problem = Assert.Throws<ConfigException>(() => new Schedule(config.Schedule, 20)).Message;
        Assert.Contains("total_num_steps: 100 steps, but the run has 20", problem);
        Assert.Equal(0, new Schedule(config.Schedule, 100).Rate(0));
    }

    [Fact]
    public void Without_a_DeepSpeed_file_nothing_changes()
    {
        var config = TrainConfig.Parse("model_name_or_path: m\nlearning_rate: 2.0e-4\nwarmup_steps: 5", "c.yaml", use: ConfigUse.Plan);
        var schedule = new Schedule(config.Schedule, 20);

        Assert.Equal(Rate / 5, schedule.Rate(1), 1e-15);
        Assert.Equal(Rate * 5 / 15, schedule.Rate(15), 1e-15);
    }

    private static Schedule Make(string scheduler) => new(Config(scheduler).Schedule, 20);

    private static TrainConfig Config(string scheduler) => TrainConfig.Parse(
        $"model_name_or_path: m\nlearning_rate: 2.0e-4\nwarmup_steps: 5\ndeepspeed: {{scheduler: {scheduler}}}", "c.yaml", use: ConfigUse.Plan);
}
