using System.Diagnostics;
using Fovea.Data.Datasets;
using Fovea.Distributed;
using Fovea.Events;
using Fovea.Generation;
using Fovea.Models;
using Fovea.Runs.Events;
using Fovea.Runs.Files;
using Fovea.Training.Answers;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Running;

/// <summary>
/// Answers the held-out rows of a configuration and writes what LLaMA-Factory's <c>do_predict</c> writes, and a page to look at it. Answers are kept as they
/// come, so that a call that was ended goes on, on another number of ranks too.
/// </summary>
internal sealed class Prediction : IDisposable
{
    private readonly TrainConfig config;
    private readonly ModelSource source;
    private readonly Mesh mesh;
    private readonly EventHub events;
    private readonly DataSetup setup;
    private readonly LoadedData data;
    private readonly RowQuestions questions;
    private readonly GenerationOptions options;
    private readonly RankAnswers ranks;
    private readonly string folder;

    private Prediction(TrainConfig config, ModelSource source, Mesh mesh, EventHub events)
    {
        (this.config, this.source, this.mesh, this.events) = (config, source, mesh, events);
        folder = Path.Combine(config.Run.OutputDir, PredictionFiles.Log);
        ranks = new RankAnswers(config, mesh);
        setup = DataSetup.From(config, source);
        data = Load(config, setup);
        options = AnswerSettings.Of(config.Generation, GenerationFile.Read(source.Folder, setup.Tokenizer, setup.Template.StopWords));
        options.Check();
        questions = new RowQuestions(data.Eval ?? data.Train, setup, options, config.Run.Seed, config.Generation.SkipSpecialTokens);
    }

    /// <param name="config">Names the model with its adapters, the held-out rows and the output folder.</param>
    /// <param name="source">The configuration's model folder, where it is open already.</param>
    /// <param name="views">See the events of answering.</param>
    /// <param name="mesh">The processes that answer.</param>
    /// <param name="again">Answer anew what is answered already.</param>
    /// <param name="stop">Asks to end after the present answer.</param>
    /// <returns>Whether all rows are answered; false where it was stopped.</returns>
    /// <exception cref="ConfigException">The configuration names no usable rows, model or folder.</exception>
    public static bool Run(TrainConfig config, ModelSource? source, IEnumerable<IEventSink> views, Mesh mesh, bool again, CancellationToken stop)
    {
        Check(config);
        return Telemetry.Span("fovea.predict", span =>
        {
            using var events = new EventHub(views);
            mesh.OnMain(() => RunTargets.Check(config.Run));
            source = source is null ? BaseModel.Open(config) : BaseModel.With(source, config);
            using var prediction = new Prediction(config, source, mesh, events);
            var done = prediction.Run(again, stop);
            span?.SetTag("fovea.run.name", config.Run.EffectiveRunName).SetTag("fovea.run.interrupted", !done);
            return done;
        });
    }

    public void Dispose() => data.Dispose();

    private static void Check(TrainConfig config)
    {
        var problems = new List<string>();
        if (config.Run.OutputDir.Length == 0)
        {
            problems.Add("output_dir is missing: the folder for the answers");
        }

        if (config.Data.EvalDataset.Count == 0 && config.Data.ValSize == 0)
        {
            problems.Add("there are no held-out samples to answer: set eval_dataset, or val_size as in the training");
        }

        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }
    }

    /// <summary>Where held-out rows are named, those that are trained on need not be read.</summary>
    private static LoadedData Load(TrainConfig config, DataSetup setup) => DatasetLoader.Load(config.Data.EvalDataset.Count > 0
        ? setup.Options.HeldOutAlone
        : setup.Options);

    private bool Run(bool again, CancellationToken stop)
    {
        var fingerprint = mesh.FromMain("what the answers depend on", () => AnswerIdentity.Of(config, source, setup, questions, options))!;
        if (again)
        {
            mesh.OnMain(() => AnswerLog.Clear(folder));
            mesh.Barrier("the end of earlier answers");
        }

        var known = Merge(mesh.Gather("the answers that are there", AnswerText.Of(AnswerLog.Read(folder, fingerprint))));
        if (known.Count == questions.Count && mesh.FromMain("whether there is something to do", () => IsWritten(fingerprint) ? "no" : null) is not null)
        {
            events.Write(new Notice($"all {questions.Count} samples are answered already in {config.Run.OutputDir}, with this model, data and settings: "
                + "nothing was done; fovea predict --again answers them anew"));
            return true;
        }

        mesh.OnMain(() =>
        {
            events.Add(new ResultsSink(config.Run.OutputDir));
            events.Add(new RunningLogSink(config.Run.OutputDir));
        });
        foreach (var notice in data.Notices)
        {
            events.Write(new Notice(notice));
        }

        var preparation = 0.0;
        if (known.Count < questions.Count)
        {
            preparation = Answer(fingerprint, known, stop).GetAwaiter().GetResult();
            known = Merge(mesh.Gather("the answers", AnswerText.Of(known.Values)));
            if (known.Count < questions.Count)
            {
                events.Write(new PredictionInterrupted(known.Count, questions.Count));
                return false;
            }
        }

        mesh.OnMain(() => Write(fingerprint, known, preparation));
        mesh.Barrier("the end of the answers");
        return true;
    }

    private bool IsWritten(string fingerprint) => AnswerLog.IsWritten(folder, fingerprint)
        && new[] { PredictionFiles.Answers, PredictionFiles.Scores, PredictionFiles.Report }.All(name => File.Exists(Path.Combine(config.Run.OutputDir, name)));

    private static SortedDictionary<int, RowAnswer> Merge(IEnumerable<string> texts)
    {
        var merged = new SortedDictionary<int, RowAnswer>();
        foreach (var answer in texts.SelectMany(AnswerText.Read))
        {
            merged.TryAdd(answer.Row, answer);
        }

        return merged;
    }

    /// <summary>Answers this rank's part of the rows that are left, as far as nobody stops it.</summary>
    /// <returns>Seconds to load the model.</returns>
    private async Task<double> Answer(string fingerprint, SortedDictionary<int, RowAnswer> known, CancellationToken stop)
    {
        var watch = Stopwatch.StartNew();
        await using var model = await VisionModel.LoadAsync(
            config, source, fromModel: false, text => events.Write(new Notice(text)), mesh, CancellationToken.None).ConfigureAwait(false);
        var preparation = watch.Elapsed.TotalSeconds;
        model.Loaded.Engine.Sum = ranks.Sum;
        using var log = new AnswerLog(folder, mesh.Rank, fingerprint);
        events.Write(new PredictionStarted(config.Run.OutputDir, source.Folder, model.Device, questions.Count, known.Count));
        await model.Run<object?>(
            () =>
            {
                AnswerLeft(model.Loaded.Batch, log, known, stop);
                return null;
            },
            CancellationToken.None).ConfigureAwait(false);
        return preparation;
    }

    private void AnswerLeft(IBatchAnswerer batch, AnswerLog log, SortedDictionary<int, RowAnswer> known, CancellationToken stop)
    {
        var (watch, before, own) = (Stopwatch.StartNew(), known.Count, 0);
        var left = ranks.Share([.. Enumerable.Range(0, questions.Count).Where(row => !known.ContainsKey(row))]);
        var asked = left.TakeWhile(_ => !stop.IsCancellationRequested).Select(questions.Request);
        try
        {
            foreach (var answer in batch.AnswerAll(asked, mesh.WorldSize == 1 ? stop : CancellationToken.None))
            {
                var row = Of(answer) with { Seconds = watch.Elapsed.TotalSeconds };
                watch.Restart();
                known.Add(row.Row, row);
                log.Add(row);
                own++;
                var done = before + Math.Min(own * mesh.WorldSize, questions.Count - before);
                events.Write(new RowAnswered(done, questions.Count));
                if (stop.IsCancellationRequested && mesh.WorldSize == 1)
                {
                    break; // what else is on its way is given up
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // What was answered is kept.
        }
    }

    /// <exception cref="BadSampleException">There is no answer, and such samples are not left out.</exception>
    private RowAnswer Of(BatchAnswer answer)
    {
        var row = (int)answer.Request.Tag!;
        if ((answer.Problem ?? questions.Problem(row)) is not { } problem)
        {
            return new RowAnswer(row, questions.Written(answer.Answers[0]));
        }

        var bad = questions.Bad(row, problem);
        if (config.Data.OnBadSample == BadSamplePolicy.Error)
        {
            throw bad;
        }

        events.Write(new SampleSkipped(bad.Sample.Dataset, bad.Sample.Row, bad.Sample.PlacedReason, "not answered"));
        return new RowAnswer(row, null, bad.Sample.PlacedReason);
    }

    private void Write(string fingerprint, SortedDictionary<int, RowAnswer> answers, double preparation)
    {
        var rows = new PredictedRows(config, questions, new PromptBuilder(
            setup.Tokenizer, setup.Template, setup.Images, setup.Options, setup.Processor.TokenRows, setup.Objects), setup.Tokenizer, answers.Values);
        var output = config.Run.OutputDir;
        PredictionFiles.Write(output, rows.Written);
        var report = Path.Combine(output, PredictionFiles.Report);
        rows.WriteReport(report, source.Folder, GenerationText.Words(options with { Seed = options.Seed ?? (ulong)config.Run.Seed }));

        // Ranks work at the same time; who is asked again after a kill has the time of both calls.
        var seconds = answers.Values.Sum(answer => answer.Seconds) / mesh.WorldSize;
        var batches = (rows.Count + config.Run.PerDeviceEvalBatchSize - 1) / config.Run.PerDeviceEvalBatchSize;
        events.Write(new PredictionFinished(rows.Count, batches, seconds, preparation)
        {
            Metrics = rows.Metrics,
            Paths =
            [
                new("answers", Path.Combine(output, PredictionFiles.Answers)),
                new("scores", Path.Combine(output, PredictionFiles.Scores)),
                new("report", report),
            ],
        });
        AnswerLog.MarkWritten(folder, fingerprint);
    }
}
