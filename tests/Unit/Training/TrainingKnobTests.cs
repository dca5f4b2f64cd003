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
    [InlineData("finetuning_type=lora")]
    [InlineData("finetuning_type=full")]
    public void The_z_loss_is_part_of_the_loss_and_linear_in_its_factor(string method)
    {
        double At(string factor) => Losses($"z{factor}", [method, "max_steps=1", "learning_rate=1e-5", $"z_loss={factor}"])[0];
        var (none, one, two) = (At("0"), At("1e-3"), At("2e-3"));
        Assert.True(one > none + 0.01, $"{none}, {one}"); // log(2048) squared is some 58
        Assert.Equal(2 * (one - none), two - none, 2e-4);
    }

    [Fact]
    public void Dynamic_fine_tuning_learns_from_what_is_likely()
    {
        var losses = Losses("dft", ["use_dft_loss=true", "max_steps=3", "lr_scheduler_type=constant"]);
        Assert.All(losses, loss => Assert.InRange(loss, 0, Math.Exp(-1))); // c x exp(-c) is at most 1/e
        Assert.Contains("exclude each other", Assert.Throws<ConfigException>(() => Parse("use_dft_loss: true\nlabel_smoothing_factor: 0.1")).Message);
        Assert.True(Parse("enable_dft_loss: true").Tuning.UseDftLoss);
    }

    [Fact]
    public void Weights_of_rows_are_factors_on_the_loss_however_samples_are_packed()
    {
        string[] keys = ["max_steps=2", "gradient_accumulation_steps=4", "disable_shuffling=true", "learning_rate=1e-4", "lr_scheduler_type=constant"];
        double[] With(string name, double? weight, params string[] more) => Losses(name, [.. keys, .. Weighed(weight), .. more]);
        var plain = With("plain", null);
        Assert.Equal(plain, With("ones", 1));
        Assert.Equal(File.ReadAllBytes(run.Out("plain/adapter_model.safetensors")), File.ReadAllBytes(run.Out("ones/adapter_model.safetensors")));
        Assert.Equal(2 * plain[0], With("twos", 2)[0], 2e-4);

        // From row to row another weight.
        var (mixed, alone) = (With("mixed", 0), With("alone", 0, "micro_batch_tokens=1"));
        Assert.NotEqual(plain[0], mixed[0], 1e-3);
        Assert.All(mixed.Zip(alone), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
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

    /// <summary>Rows that weigh so much; 0: each something else, null: no column is read.</summary>
    private string[] Weighed(double? weight)
    {
        var overrides = run.Rows(12, rows =>
        {
            for (var i = 0; i < rows.Count; i++)
            {
                rows[i]!["w"] = weight == 0 ? 0.5 + i : weight;
            }
        });
        if (weight is not null)
        {
            var info = Path.Combine(run.Folder, "dataset_info.json");
            File.WriteAllText(info, File.ReadAllText(info).Replace("\"images\": \"images\"", "\"images\": \"images\", \"weight\": \"w\""));
            Assert.Contains("\"weight\"", File.ReadAllText(info));
        }

        return overrides;
    }

    private static TrainConfig Parse(string line) => TrainConfig.Parse("model_name_or_path: m\n" + line, "c.yaml", use: ConfigUse.Plan);

    private double[] Losses(string name, string[] keys)
    {
        Assert.Equal(0, Program.Main(run.Train(name, keys)));
        return run.Losses(name);
    }
}
