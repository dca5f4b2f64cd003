using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fovea.Tensors.Safetensors;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Distributed;

/// <summary>One, two and four ranks are the same run: losses and weights agree for the same samples a step, whatever each rank's share of them is.</summary>
public sealed partial class DataParallelTests : NativeTest
{
    // AdamW's first steps are the sign of a gradient times the rate, so an element whose gradient is all rounding moves by a part of the rate.
    private const string Rate = "learning_rate=1e-4";
    private readonly TinyRun run = new();

    [Fact]
    public void Two_and_four_ranks_give_the_losses_and_adapters_of_one()
    {
        string[] lora = [Rate, "lora_dropout=0.1", "val_size=7", "max_steps=3", "eval_strategy=steps", "eval_steps=3", "per_device_eval_batch_size=2"];
        var one = Train("one", 1, 4, lora);
        foreach (var ranks in new[] { 2, 4 })
        {
            Near(one, Train($"{ranks}", ranks, 4, lora), 1e-5);
            SameWeights("one", $"{ranks}", 1e-5);
            Assert.Equal(Number("one", "eval_loss"), Number($"{ranks}", "eval_loss"), 1e-5);
        }
    }

    [Fact]
    public void Full_fine_tuning_agrees_where_some_ranks_see_text_only()
    {
        // Rank 1 of two never sees an image, and no rank does in the second step.
        var data = run.Rows(12, rows =>
        {
            for (var i = 0; i < rows.Count; i++)
            {
                if (i % 2 == 1 || i / 4 == 1)
                {
                    MakeText(rows[i]!);
                }
            }
        });
        string[] full =
        [
            "finetuning_type=full", "freeze_vision_tower=false", "freeze_multi_modal_projector=false", "learning_rate=1e-5", "disable_shuffling=true",
            "max_steps=3", "ddp_bucket_cap_mb=0.5", .. data,
        ];
        var one = Train("one", 1, 4, full);
        Near(one, Train("two", 2, 4, full), 1e-5);
        SameWeights("one", "two", 1e-5);
    }

    [Fact]
    public void Ranks_without_a_usable_sample_or_with_fewer_micro_batches_do_not_hang()
    {
        // With one sample a batch, rank 1 of two has nothing at all in the first step; later steps have unequal lengths and a short end.
        var data = run.Rows(10, rows =>
        {
            foreach (var i in new[] { 1, 3 })
            {
                rows[i]!["images"] = new JsonArray(RankGroup.BrokenImage);
            }
        });
        string[] uneven =
            [Rate, "on_bad_sample=skip", "disable_shuffling=true", "micro_batch_tokens=150", "max_steps=-1", "num_train_epochs=2", .. data];
        var one = Train("one", 1, 4, uneven);
        Assert.Equal(6, one.Length);
        Near(one, Train("two", 2, 4, uneven), 1e-5);
        SameWeights("one", "two", 1e-5);
    }

    [Fact]
    public void The_mean_of_batches_agrees_and_a_run_goes_on_with_another_number_of_ranks()
    {
        string[] mean = [Rate, "loss_reduction=mean", "save_steps=1"];
        var whole = Train("whole", 1, 4, [.. mean, "max_steps=6", "lr_scheduler_type=constant"]);
        foreach (var (ranks, steps) in new[] { (2, 2), (1, 4), (4, 6) })
        {
            string[] resume = steps > 2 ? ["resume_from_checkpoint=true"] : [];
            Train("parts", ranks, 4, [.. mean, $"max_steps={steps}", "lr_scheduler_type=constant", .. resume]);
        }

        Near(whole, run.Losses("parts"), 1e-5);
        SameWeights("whole", "parts", 1e-5);
    }

    protected override void Cleanup() => run.Dispose();

    private static void MakeText(JsonNode row)
    {
        row["images"] = new JsonArray();
        foreach (var message in row["messages"]!.AsArray())
        {
            message!["content"] = ((string)message["content"]!).Replace("<image>", string.Empty);
        }
    }

    private static void Near(double[] a, double[] b, double tolerance)
    {
        Assert.Equal(a.Length, b.Length);
        for (var i = 0; i < a.Length; i++)
        {
            Assert.True(Math.Abs(a[i] - b[i]) <= tolerance, $"step {i}: {a[i]:R} and {b[i]:R}");
        }
    }

    private double[] Train(string name, int ranks, int samplesAStep, params string[] overrides)
    {
        string[] all = [$"output_dir={run.Out(name)}", $"gradient_accumulation_steps={samplesAStep / ranks}", "save_steps=100", .. overrides];
        if (ranks == 1)
        {
            SupervisedFineTune.Run(TrainConfig.Load(run.Config, all), []);
        }
        else
        {
            var sent = Sent().Match(RankGroup.Run(ranks, ["train", run.Config, .. all])[0].Output);
            var (theory, wire) = (Number(sent.Groups["theory"]), Number(sent.Groups["wire"]));
            Assert.InRange(wire / theory, 1, 1.1);
        }

        return run.Losses(name);
    }

    private static double Number(Group group) => double.Parse(group.Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"sent (?<theory>[\d.]+) MB a step to one another by theory, (?<wire>[\d.]+) MB over TCP", RegexOptions.CultureInvariant)]
    private static partial Regex Sent();

    private double Number(string name, string key) =>
        (double)JsonNode.Parse(File.ReadAllText(Path.Combine(run.Out(name), "trainer_state.json")))!["log_history"]!.AsArray()
            .Last(entry => entry![key] is not null)![key]!;

    private void SameWeights(string a, string b, double tolerance)
    {
        using var first = Checkpoint.Open(run.Out(a));
        using var second = Checkpoint.Open(run.Out(b));
        Assert.Equal(first.Tensors.Keys.Order(), second.Tensors.Keys.Order());
        foreach (var name in first.Tensors.Keys)
        {
            var x = MemoryMarshal.Cast<byte, float>(first[name].Span);
            var y = MemoryMarshal.Cast<byte, float>(second[name].Span);
            for (var i = 0; i < x.Length; i++)
            {
                Assert.True(Math.Abs(x[i] - y[i]) <= tolerance, $"{name}[{i}]: {x[i]:R} and {y[i]:R}");
            }
        }
    }
}
