using System.Text.Json;
using Fovea.Training.Config;
using Fovea.Training.Optim;

namespace Fovea.Tests.Unit.Training;

/// <summary>Schedules against the rates that Transformers' own functions give (<c>goldens/optim/schedules.py</c>).</summary>
public sealed class ScheduleGoldenTests
{
    private static readonly JsonElement[] Cases =
        [.. JsonDocument.Parse(File.ReadAllText(TestFiles.Golden("optim/schedules.json"))).RootElement.EnumerateArray()];

    public static TheoryData<int> Numbers => [.. Enumerable.Range(0, Cases.Length)];

    [Theory, MemberData(nameof(Numbers))]
    public void Rates_are_Transformers(int number)
    {
        var golden = Cases[number];
        var config = Parse(
            $"lr_scheduler_type: {golden.GetProperty("name").GetString()}", $"lr_scheduler_kwargs: {golden.GetProperty("kwargs").GetRawText()}",
            $"warmup_steps: {golden.GetProperty("warmup").GetRawText()}", $"learning_rate: {golden.GetProperty("rate").GetRawText()}");
        var schedule = new Schedule(config.Schedule, golden.GetProperty("total").GetInt32());

        var step = 0;
        foreach (var rate in golden.GetProperty("rates").EnumerateArray())
        {
            var expected = rate.GetDouble();
            Assert.True(Math.Abs(schedule.Rate(step) - expected) <= 1e-18 + (1e-14 * expected), $"step {step}: {schedule.Rate(step)}, not {expected}");
            step++;
        }
    }

    [Theory]
    [InlineData("{}", 6, 12)]
    [InlineData("{num_decay_steps: 4}", 14, 4)]
    [InlineData("{num_stable_steps: 10}", 10, 8)]
    public void What_is_left_out_of_a_decay_fills_the_run(string given, int stable, int decay)
    {
        // 20 steps with 2 of warm-up; with neither length a third is constant, as LLaMA-Factory has it.
        var schedule = new Schedule(
            Parse("lr_scheduler_type: warmup_stable_decay", $"lr_scheduler_kwargs: {given}", "warmup_steps: 2", "learning_rate: 1").Schedule, 20);

        Assert.Equal(1, schedule.Rate(2 + stable - 1));
        Assert.Equal(1, schedule.Rate(2 + stable));
        Assert.True(schedule.Rate(2 + stable + 1) < 1);
        Assert.True(schedule.Rate(2 + stable + decay - 1) > 0);
        Assert.Equal(0, schedule.Rate(2 + stable + decay));
    }

    [Fact]
    public void Words_and_numbers_are_written_back_as_they_read()
    {
        var config = Parse("lr_scheduler_type: warmup_stable_decay", "lr_scheduler_kwargs: {num_decay_steps: 4, decay_type: 1-sqrt, min_lr_ratio: 1.0e-1}");
        var written = config.ToDictionary()["lr_scheduler_kwargs"];
        Assert.Equal("{num_decay_steps: 4, decay_type: 1-sqrt, min_lr_ratio: 0.1}", written);
        Assert.Equal(written, Parse("lr_scheduler_type: warmup_stable_decay", $"lr_scheduler_kwargs: {written}").ToDictionary()["lr_scheduler_kwargs"]);

        // Transformers' command line takes JSON.
        var json = Parse("""lr_scheduler_type: polynomial""", """lr_scheduler_kwargs: '{"power": 2, "lr_end": null}'""").Schedule.LrSchedulerKwargs;
        Assert.Equal(("{power: 2}", 2.0), (json.ToString(), json["power"]));
    }

    private static TrainConfig Parse(params string[] lines) =>
        TrainConfig.Parse("model_name_or_path: m\n" + string.Join('\n', lines), "c.yaml", use: ConfigUse.Plan);
}
