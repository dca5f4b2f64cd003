using Fovea.Cli.Verbs;
using Fovea.Distributed;
using Fovea.Evaluation;
using Fovea.Running;
using Fovea.Runs.Events;
using Fovea.Runs.Files;
using Fovea.Training.Config;

namespace Fovea.Cli.Demo;

/// <summary>Asks a model about pictures, greedily, and counts what is right.</summary>
internal static class DemoExam
{
    internal const int MaxAnswerTokens = 8;

    /// <summary>The answers to one question about every picture.</summary>
    /// <param name="adapter">Folder of the adapter, or null for the model alone.</param>
    /// <param name="dataFolder">What the pictures' files are relative to.</param>
    public static IReadOnlyList<DemoAnswer> Take(
        string model, string? adapter, DemoTask task, string dataFolder, IReadOnlyList<DemoPicture> pictures, CancellationToken stop = default) =>
        TakeAsync(model, adapter, task, dataFolder, pictures, stop).GetAwaiter().GetResult();

    /// <summary>The answers of a run's result to its held-out rows, as <c>fovea predict</c> writes them.</summary>
    /// <param name="config">The run's configuration.</param>
    public static IReadOnlyList<DemoAnswer> Predict(
        string config, DemoTask task, IReadOnlyList<DemoPicture> pictures, IEnumerable<IEventSink> views, CancellationToken stop)
    {
        var (run, source) = ModelChoice.Complete(TrainConfig.Load(config), TextWriter.Null);
        if (!Prediction.Run(run, source, views, Mesh.Alone(), again: false, stop))
        {
            throw new OperationCanceledException(stop);
        }

        var written = Path.Combine(run.Run.OutputDir, PredictionFiles.Answers);
        return [.. TextFile.Read(written).Split('\n', StringSplitOptions.RemoveEmptyEntries).Zip(pictures, (line, picture) =>
            new DemoAnswer(picture, ((string)PythonJson.ReadObject(line)["predict"]!).Trim(), task.Expected(picture)))];
    }

    /// <summary>Percent of the answers that are right.</summary>
    public static double Accuracy(IReadOnlyList<DemoAnswer> answers) => 100.0 * answers.Count(answer => answer.IsRight) / answers.Count;

    /// <summary>The 95 % interval of that, in percent.</summary>
    public static (double Low, double High) Interval(IReadOnlyList<DemoAnswer> answers)
    {
        var interval = WilsonInterval.Of(answers.Count(answer => answer.IsRight), answers.Count);
        return (100 * interval.Low, 100 * interval.High);
    }

    private static async Task<IReadOnlyList<DemoAnswer>> TakeAsync(
        string folder, string? adapter, DemoTask task, string dataFolder, IReadOnlyList<DemoPicture> pictures, CancellationToken stop)
    {
        await using var model = await VisionModel.LoadAsync(folder, new() { Adapter = adapter, Precision = Precision.Fp32 }, stop);
        var options = model.Generation with { DoSample = false, MaxNewTokens = MaxAnswerTokens };
        var answers = new List<DemoAnswer>(pictures.Count);
        foreach (var picture in pictures)
        {
            var question = Message.User(Image.FromFile(Path.Combine(dataFolder, picture.File)), task.Question);
            var answer = await model.AnswerAsync([question], options, stop);
            answers.Add(new DemoAnswer(picture, answer.Text.Trim(), task.Expected(picture)));
        }

        return answers;
    }
}
