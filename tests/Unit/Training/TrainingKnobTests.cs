using Fovea.Cli;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Training;

/// <summary>Keys that change the loss or the input of a run: they reach it, and neither packing nor resuming changes what they do.</summary>
[Trait("Category", "Long")]
public sealed class TrainingKnobTests : NativeTest
{
    private readonly TinyRun run = new();

    [Fact]
    public void Noise_is_drawn_anew_each_step_and_the_same_however_samples_are_packed_and_when_a_run_goes_on()
    {
        string[] keys = ["neftune_noise_alpha=5", "max_steps=4", "lr_scheduler_type=constant", "gradient_accumulation_steps=4"];
        var plain = Losses("plain", [.. keys, "neftune_noise_alpha=null"]);
        var noisy = Losses("noisy", keys);
        var alone = Losses("alone", [.. keys, "micro_batch_tokens=1"]);
        var again = Losses("again", [.. keys, $"resume_from_checkpoint={run.Out("noisy/checkpoint-2")}"]);

        Assert.True(noisy.Zip(plain).All(pair => pair.First != pair.Second), string.Join(", ", noisy));
        Assert.Equal(plain[0], noisy[0], 0.5);
        Assert.All(noisy.Zip(alone), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
        Assert.Equal(noisy, again);
        Assert.Equal(File.ReadAllBytes(run.Out("noisy/adapter_model.safetensors")), File.ReadAllBytes(run.Out("again/adapter_model.safetensors")));
    }

    [Fact]
    public void Evaluation_sees_no_noise()
    {
        string[] keys = ["max_steps=1", "learning_rate=0", "val_size=6", "do_eval=true", "compute_accuracy=true"];
        Losses("plain", keys);
        Losses("noisy", [.. keys, "neftune_noise_alpha=5"]);
        Assert.Equal(File.ReadAllLines(run.Out("plain/eval_results.json")).Where(Scores), File.ReadAllLines(run.Out("noisy/eval_results.json")).Where(Scores));

        static bool Scores(string line) => line.Contains("loss", StringComparison.Ordinal) || line.Contains("accuracy", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("finetuning_type=lora")]
    [InlineData("finetuning_type=full")]
    public void Smoothing_moves_the_loss_by_its_part(string method)
    {
        // (1 - s) x cross-entropy + s x mean is linear in s.
        double At(string part) => Losses($"s{part}", [method, "max_steps=1", "learning_rate=1e-5", $"label_smoothing_factor={part}"])[0];
        var (none, tenth, all) = (At("0"), At("0.1"), At("1"));
        Assert.NotEqual(none, tenth, 1e-4);
        Assert.Equal((0.9 * none) + (0.1 * all), tenth, 2e-4);
    }

    [Theory]
    [InlineData("group_by_length: true", "group_by_length is ignored: micro-batches carry no padding")]
    [InlineData("train_sampling_strategy: group_by_length", "train_sampling_strategy: group_by_length is ignored: micro-batches carry no padding")]
    public void Grouping_by_length_is_taken_without_effect_and_says_so(string line, string notice) =>
        Assert.Contains(Parse(line).Notices, one => one.StartsWith(notice, StringComparison.Ordinal));

    [Fact]
    public void Another_order_of_samples_stays_refused() => Assert.Contains(
        "samples are shuffled",
        Assert.Throws<ConfigException>(() => Parse("train_sampling_strategy: sequential")).Message);

    protected override void Cleanup() => run.Dispose();

    private static TrainConfig Parse(string line) => TrainConfig.Parse("model_name_or_path: m\n" + line, "c.yaml", use: ConfigUse.Plan);

    private double[] Losses(string name, string[] keys)
    {
        Assert.Equal(0, Program.Main(run.Train(name, keys)));
        return run.Losses(name);
    }
}
