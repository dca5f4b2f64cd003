using System.Globalization;
using Fovea.Data.Sampling;
using Fovea.Data.Streaming;
using Fovea.Models;
using Fovea.Runs.Files;
using Fovea.Training.Config;
using Fovea.Training.Optim;

namespace Fovea.Training.Session;

/// <summary>Where a run goes on, from a checkpoint or from the file of a family's own training scripts; the optimizer has been given its state.</summary>
/// <param name="Progress">Where it stands.</param>
/// <param name="State">What was logged before.</param>
/// <param name="Notices">What the user is to know about it, in sentences.</param>
internal sealed record Resumption(RunProgress Progress, TrainerState State, IReadOnlyList<string> Notices)
{
    /// <summary>Whether it is a file of other scripts, not a checkpoint folder.</summary>
    public static bool IsFile(string from) => File.Exists(from);

    /// <summary>The progress kept in a checkpoint folder; null in a run that begins or goes on from a file.</summary>
    public static RunProgress? ProgressOf(string? from) => from is null || IsFile(from) ? null : CheckpointStore.ReadProgress(from);

    /// <summary>Refuses what no such file can be used for, before anything is loaded.</summary>
    public static void CheckFile(string path, TrainConfig config, ModelFamily family)
    {
        if (!family.ReadsResumeFiles)
        {
            throw new ConfigException($"resume_from_checkpoint: {path} is a file; for a model of the family {family.ModelType} it must be a checkpoint folder");
        }

        if (config.Tuning.FinetuningType == FinetuningType.Lora)
        {
            throw new ConfigException($"resume_from_checkpoint: {path} has the optimizer of whole weights; finetuning_type: lora cannot go on from it");
        }
    }

    /// <summary>Refuses a checkpoint of another run, before the model is loaded. What a file holds is read later, with the model.</summary>
    /// <param name="from">Null is a run that begins.</param>
    /// <param name="fresh">The run as it would begin.</param>
    /// <exception cref="ConfigException">It was another run.</exception>
    public static void Check(string? from, TrainConfig config, int ranks, RunProgress fresh)
    {
        if (from is null || IsFile(from))
        {
            return;
        }

        var saved = CheckpointStore.ReadProgress(from);
        List<string> problems = [];
        var streamed = StreamStateFile.IsIn(from);
        if (streamed != config.Data.Streaming)
        {
            problems.Add($"resume_from_checkpoint: {from} was made with streaming: {(streamed ? "true" : "false")}, which decides the order of samples; "
                + "set it to that again");
        }
        else
        {
            Same("training samples", saved.Samples, fresh.Samples);
        }

        Same("samples a step (batch size x accumulation x ranks)", saved.SamplesPerStep, fresh.SamplesPerStep);
        if (saved.SamplesPerStep != fresh.SamplesPerStep && saved.SamplesPerStep % (config.Schedule.PerDeviceTrainBatchSize * ranks) == 0)
        {
            var accumulation = saved.SamplesPerStep / (config.Schedule.PerDeviceTrainBatchSize * ranks);
            problems.Add($"gradient_accumulation_steps: {accumulation} makes steps of {saved.SamplesPerStep} samples on {ranks} ranks");
        }

        Same("data_seed", saved.Seed, fresh.Seed);
        foreach (var key in fresh.Family?.Keys ?? [])
        {
            Written(key, saved.Outcome(key), fresh.Outcome(key));
        }

        Written("template", saved.Template, fresh.Template);
        NotPastTheEnd(from, saved.Step, fresh.TotalSteps, problems);
        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }

        void Same(string what, long then, long now)
        {
            if (then != now)
            {
                problems.Add($"resume_from_checkpoint: {from} was made with {then} {what}, this run has {now}: it would not be the same run");
            }
        }

        void Written(string key, string? then, string? now)
        {
            if (then is not null && now is not null && then != now)
            {
                problems.Add($"resume_from_checkpoint: {from} was made with {key} {then}, this run has {now}: it would not be the same run");
            }
        }
    }

    /// <param name="checkpoint">One that <see cref="Check"/> let through.</param>
    /// <param name="fresh">The run as it would begin.</param>
    public static Resumption FromCheckpoint(string checkpoint, TrainConfig config, IOptimizer optimizer, RunProgress fresh)
    {
        var saved = CheckpointStore.Restore(checkpoint, optimizer);
        var progress = saved with
        {
            TotalSteps = fresh.TotalSteps,
            MicroBatchTokens = config.Memory.MicroBatchTokens ?? Math.Max(1, saved.MicroBatchTokens),
            Scale = config.Model.Fp16 ? saved.Scale ?? fresh.Scale : null,
            Settings = RunSettings.GoingOn(saved.Settings, fresh.Settings!),
            BaseModel = fresh.BaseModel,
            Choices = fresh.Choices,
            Family = fresh.Family,
        };
        var state = TrainerState.Load(Path.Combine(checkpoint, TrainerState.FileName)) with { MaxSteps = fresh.TotalSteps };
        return new Resumption(progress, state with { Mark = null },
        [
            Resuming(checkpoint, progress), .. OtherBase(saved.BaseModel, fresh.BaseModel), .. RunSettings.Differences(saved.Settings, fresh.Settings!),
        ]);
    }

    /// <summary>A folder may have moved, so that another path is no fault.</summary>
    private static IEnumerable<string> OtherBase(string? then, string? now) =>
        then is null || then == now ? [] : [$"the checkpoint was made of the model {then}, this run has {now}: it must be the same one"];

    /// <param name="order">Tells which batches make which step.</param>
    /// <param name="fresh">The run as it would begin.</param>
    /// <param name="state">The log as it would begin.</param>
    /// <exception cref="ConfigException">It stands where this run has no step.</exception>
    /// <exception cref="CheckpointException">It is no such file, or of another model.</exception>
    public static Resumption FromFile(
        string path, TrainConfig config, int ranks, ModelSetup model, IOptimizer optimizer, SampleOrder order, RunProgress fresh, TrainerState state)
    {
        using var file = model.Family.OpenResumeFile(path, model.Model.Ledger);
        var batches = file.Batches;
        if (file.Ranks != ranks)
        {
            // As the scripts do: the same share of the epoch, rounded down.
            batches = (int)Math.Min((long)file.Batches * file.Ranks / ranks, order.BatchesPerEpoch);
        }
        else if (batches > order.BatchesPerEpoch)
        {
            throw new ConfigException($"resume_from_checkpoint: {path} stands after {batches} batches of an epoch, an epoch of this run has "
                + $"{order.BatchesPerEpoch}: was the data or per_device_train_batch_size another?");
        }

        var done = ((long)file.Epoch * order.BatchesPerEpoch) + batches;
        var step = order.StepsWithin(done);
        List<string> problems = [];
        NotPastTheEnd(path, step, fresh.TotalSteps, problems);
        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }

        optimizer.Restore(saved => file.Read(saved.Part.Name, saved.Name[(saved.Part.Name.Length + 1)..], saved.Part.Start, saved.Part.Count));
        var progress = fresh with
        {
            Step = step,
            ForeignSteps = step,
            Scale = config.Model.Fp16 && file.LossScale is { } scale ? new LossScale(scale, file.GoodSteps) : fresh.Scale,
        };
        var again = done - (step == 0 ? 0 : order.BatchesUpTo(step - 1));
        List<string> notices =
        [
            Resuming(path, progress) + $": after {batches} of the {order.BatchesPerEpoch} batches of epoch {file.Epoch + 1}",
            .. Differences(config, ranks, file, step, again),
        ];
        return new Resumption(progress, state with { GlobalStep = step, Epoch = order.EpochAfter(step) }, notices);
    }

    private static IEnumerable<string> Differences(TrainConfig config, int ranks, ResumeFile file, int step, long again)
    {
        if (file.Ranks != ranks)
        {
            yield return $"it was made on {file.Ranks} ranks, this run has {ranks}: batches are counted anew, as the scripts do";
        }
        else if (file.Updates > step || (file.Updates < step && !config.Model.Fp16))
        {
            yield return $"its optimizer has made {file.Updates} updates, this run counts {step} up to there: "
                + "were batch size, gradient_accumulation_steps or step_rounding others?";
        }

        if (again > 0)
        {
            yield return $"it was saved in the middle of a step, without the gradients so far: {again} batches are taken again";
        }

        if (ranks > 1 || file.Ranks > 1 || config.Data.DisableShuffling || config.Run.EffectiveDataSeed != file.OrderSeed)
        {
            yield return "samples come in this run's order: the rest of the epoch may repeat some that were trained already and leave others out "
                + $"(the orders agree on one rank, shuffled, with data_seed: {file.OrderSeed})";
        }

        var own = config.Optimizer;
        (string Name, double Value)[] settings =
            [("weight_decay", own.WeightDecay), ("beta1", own.AdamBeta1), ("beta2", own.AdamBeta2), ("eps", own.AdamEpsilon)];
        foreach (var (name, value) in settings)
        {
            if (file.Settings.TryGetValue(name, out var then) && then != value)
            {
                yield return string.Create(CultureInfo.InvariantCulture, $"its optimizer had {name} {then}, this run has {value}");
            }
        }

        if (config is { Optimizer.WeightDecay: not 0, Optimizer.DecayNorms: false } && file.Settings.GetValueOrDefault("weight_decay") != 0)
        {
            yield return "its optimizer decayed norms and biases too, this run does not (decay_norms: true)";
        }

        if (config.Model.Fp16 && file.LossScale is null)
        {
            yield return "it has no scale of the loss, which begins anew";
        }
    }

    private static string Resuming(string from, RunProgress progress) => $"resuming {from} at step {progress.Step} of {progress.TotalSteps}";

    private static void NotPastTheEnd(string from, int step, int total, List<string> problems)
    {
        if (step > total)
        {
            problems.Add($"resume_from_checkpoint: {from} is at step {step}, the run ends at {total}");
        }
    }
}
