using Fovea.Events;
using Fovea.Runs.Files;
using Fovea.Tests.Distributed;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Recipes;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>Steps, batches and evaluations in which no token is trained: they have no loss, and none is in any mean.</summary>
public sealed class StepsWithoutLabelsTests : NativeTest
{
    // Constant, so that a step more or less changes no rate; a decay that would be seen at once.
    private static readonly string[] Plain =
    [
        "disable_shuffling=true", "per_device_train_batch_size=1", "gradient_accumulation_steps=2", "lr_scheduler_type=constant", "weight_decay=0.5",
        "cutoff_len=128", "save_steps=1", "logging_steps=1", "plot_loss=true",
    ];

    private readonly RankRuns runs = new();

    private TinyRun Tiny => runs.Tiny;

    [Fact]
    public void A_step_without_a_label_counts_has_no_loss_is_in_no_mean_and_leaves_weights_and_moments_alone()
    {
        string[] with = Rows(8, empty: [2, 3]);
        using var seen = new SeenEvents();
        var outcome = Train("with", seen, [.. Plain, "max_steps=4", .. with]);
        var history = TrainerState.Load(Tiny.Out("with/trainer_state.json")).LogHistory;
        Assert.Equal([1L, 2L, 3L, 4L], history.Where(entry => entry.ContainsKey("learning_rate")).Select(entry => entry["step"]));
        Assert.DoesNotContain(history, entry => entry["step"] is 2L && (entry.ContainsKey("loss") || entry.ContainsKey("grad_norm")));
        var losses = Tiny.Losses("with");
        Assert.Equal(3, losses.Length);
        Assert.All(losses, loss => Assert.InRange(loss, 1, 20));
        Assert.Equal(losses.Average(), outcome.TrainLoss!.Value, 1e-12);
        Assert.Equal([null, losses[1]], seen.All.OfType<StepDone>().Skip(1).Take(2).Select(done => done.Loss));
        Assert.Contains(seen.All.OfType<Warning>(), warning => warning.Text.StartsWith("step 2: no token is trained;", StringComparison.Ordinal));
        Assert.DoesNotContain("\"loss\": 0.0,", File.ReadAllText(Tiny.Out("with/trainer_log.jsonl")));
        Assert.Equal(Tiny.Adapter("with/checkpoint-1"), Tiny.Adapter("with/checkpoint-2"));

        // The same run without those rows.
        Train("without", seen, [.. Plain, "max_steps=3", .. Rows(8, empty: [2, 3], leaveOut: true)]);
        Assert.Equal(Tiny.Losses("without"), losses);
        Assert.Equal(Tiny.Adapter("without"), Tiny.Adapter("with"));

        // And it goes on after such a step as if it had not been interrupted.
        Rows(8, empty: [2, 3]);
        var rest = Train("rest", seen, [.. Plain, "max_steps=4", .. with, $"resume_from_checkpoint={Tiny.Out("with/checkpoint-2")}"]);
        Assert.Equal(outcome.TrainLoss, rest.TrainLoss);
        Assert.Equal(Tiny.Adapter("with"), Tiny.Adapter("rest"));
    }

    [Fact]
    public void A_log_line_over_several_steps_is_the_mean_of_those_that_have_a_loss()
    {
        string[] rows = Rows(8, empty: [2, 3]);
        using var seen = new SeenEvents();
        Train("each", seen, [.. Plain, "max_steps=3", .. rows]);
        Train("all", seen, [.. Plain, "max_steps=3", .. rows, "logging_steps=3"]);
        Assert.Equal(Tiny.Losses("each").Average(), Assert.Single(Tiny.Losses("all")), 1e-12);
    }

    [Theory]
    [InlineData("token")]
    [InlineData("mean")]
    [InlineData("accumulate")]
    public void A_step_of_which_only_some_batches_have_a_label_has_the_loss_of_those(string reduction)
    {
        using var seen = new SeenEvents();
        string[] keys = [.. Plain, "max_steps=1", $"loss_reduction={reduction}"];
        Train("half", seen, [.. keys, .. Rows(2, empty: [1])]);
        Train("alone", seen, [.. keys, "gradient_accumulation_steps=1", .. Rows(2, empty: [1], leaveOut: true)]);
        Assert.Equal(Assert.Single(Tiny.Losses("alone")), Assert.Single(Tiny.Losses("half")), 1e-6);
    }

    [Fact]
    [Trait("Category", "Long")]
    public void Several_ranks_agree_about_it()
    {
        // Of two ranks, one has no label in the first step, and none has in the second.
        var plain = Plain.Where(key => !key.StartsWith("gradient_accumulation", StringComparison.Ordinal));
        string[] keys = [.. plain, "max_steps=3", "learning_rate=1e-4", .. Rows(12, empty: [1, 3, 4, 5, 6, 7])];
        foreach (var reduction in new[] { "token", "mean" })
        {
            var one = runs.Train($"{reduction} one", 1, 4, [.. keys, $"loss_reduction={reduction}"]);
            Assert.Equal(2, one.Length);
            RankRuns.Near(one, runs.Train($"{reduction} two", 2, 4, [.. keys, $"loss_reduction={reduction}"]), 1e-5);
            runs.SameWeights($"{reduction} one", $"{reduction} two", 1e-5);
            Assert.Equal(runs.Number($"{reduction} one", "train_loss"), runs.Number($"{reduction} two", "train_loss"), 1e-5);
        }

        var sharded = runs.Train("sharded", 2, 4, [.. keys, "zero=3"]);
        RankRuns.Near(runs.Tiny.Losses("token one"), sharded, 1e-5);
        runs.SameWeights("token one", "sharded", 1e-5);
    }

    [Fact]
    public void An_evaluation_is_over_the_batches_that_have_a_label_and_without_any_there_is_no_loss()
    {
        using var seen = new SeenEvents();
        string[] keys = [.. Plain, "max_steps=1", "learning_rate=0", "do_eval=true", "per_device_eval_batch_size=1"];
        Train("some", seen, [.. keys, .. Rows(2, empty: [1]), "eval_dataset=rows"]);
        var measured = seen.All.OfType<Evaluated>().Single();
        Assert.Equal(Assert.Single(Tiny.Losses("some")), measured.Loss!.Value, 1e-5);
        Assert.Equal(measured.Metrics["token_loss"], measured.Loss!.Value, 1e-5);

        seen.All.Clear();
        Train("none", seen, [.. keys, .. Rows(2, empty: [0, 1]), "eval_dataset=rows"]);
        measured = seen.All.OfType<Evaluated>().Single();
        Assert.Null(measured.Loss);
        Assert.Empty(measured.Metrics);
        Assert.DoesNotContain("eval_loss", File.ReadAllText(Tiny.Out("none/eval_results.json")));
        Assert.DoesNotContain("\"loss\"", File.ReadAllText(Tiny.Out("none/trainer_state.json")));
        Assert.False(File.Exists(Tiny.Out("none/training_loss.svg")));
    }

    protected override void Cleanup() => runs.Dispose();

    /// <summary>Rows of the golden data; those named have a question so long that <c>cutoff_len</c> leaves nothing of the answer.</summary>
    private string[] Rows(int count, int[] empty, bool leaveOut = false) => Tiny.Rows(count, rows =>
    {
        foreach (var i in empty.OrderDescending())
        {
            DataParallelTests.MakeText(rows[i]!);
            var messages = rows[i]!["messages"]!.AsArray();
            messages[0]!["content"] = string.Join(' ', Enumerable.Repeat("What is it?", 8000));
            messages[1]!["content"] = string.Join(' ', Enumerable.Repeat("red", 80));
            while (messages.Count > 2)
            {
                messages.RemoveAt(2);
            }

            if (leaveOut)
            {
                rows.RemoveAt(i);
            }
        }
    });

    private RunOutcome Train(string name, SeenEvents seen, params string[] overrides) =>
        SupervisedFineTune.Run(TrainConfig.Load(Tiny.Config, [$"output_dir={Tiny.Out(name)}", .. overrides]), [seen]);
}
