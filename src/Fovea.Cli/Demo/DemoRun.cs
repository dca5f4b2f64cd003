using System.Diagnostics;
using Fovea.Runs.Events;
using Fovea.Tensors;
using Fovea.Training.Session;

namespace Fovea.Cli.Demo;

/// <summary>The demonstration from nothing to an adapter: pictures, a blank model, a base trained on them, an adapter over it, an examination.</summary>
internal sealed class DemoRun(DemoOptions options, DemoView view, Func<IEnumerable<IEventSink>> sinks, CancellationToken stop)
{
    private readonly DemoFolder folder = DemoFolder.Create(options.Output);

    /// <exception cref="OperationCanceledException">It was stopped on request.</exception>
    public DemoResult Run()
    {
        // Products this small gain little from threads, which crawl where other programs want the cores; and one thread rounds the same on every machine.
        Torch.Threads = 1;
        var watch = Stopwatch.StartNew();
        view.Stage(1, $"drawing {options.Pictures + options.HeldOut} pictures of coloured shapes");
        var data = DemoData.Write(folder.Data, options);
        view.Drawn(folder.Data, data);
        stop.ThrowIfCancellationRequested();

        view.Stage(2, "making a small Qwen2.5-VL with random weights");
        var tokenizer = new DemoTokenizer(DemoData.Texts);
        view.Made(folder.Blank, StepThread.Run(() => DemoModel.Write(folder.Blank, tokenizer, options.Seed)), tokenizer.VocabularySize);
        var blank = Accuracy(folder.Blank, DemoTask.Describe, data);

        view.Stage(3, "training the base: it learns to describe a picture");
        Train(folder.BaseConfig, DemoConfigs.Base(folder, options));
        var described = Predict(folder.BaseConfig, DemoTask.Describe, data);
        var before = Accuracy(folder.Base, DemoTask.Fruit, data);
        view.Asked(DemoTask.Describe, DemoExam.Accuracy(described));
        view.Asked(DemoTask.Fruit, before);

        view.Stage(4, "training an adapter with LoRA: it learns a new question");
        Train(folder.AdapterConfig, DemoConfigs.Adapter(folder, options));

        view.Stage(5, $"asking about {data.HeldOut.Count} pictures that no training saw");
        var result = new DemoResult(blank, described, before, Predict(folder.AdapterConfig, DemoTask.Fruit, data));
        view.Result(folder, result, watch.Elapsed);
        return result;
    }

    private void Train(string path, string yaml)
    {
        File.WriteAllText(path, yaml);
        view.Configuration(path);
        var outcome = FineTune.FromFile(path).Run(sinks(), stop);
        if (outcome.Interrupted)
        {
            throw new OperationCanceledException(stop);
        }
    }

    private double Accuracy(string model, DemoTask task, DemoData data) =>
        DemoExam.Accuracy(DemoExam.Take(model, null, task, folder.Data, data.HeldOut, stop));

    private IReadOnlyList<DemoAnswer> Predict(string config, DemoTask task, DemoData data)
    {
        view.Predicting(config);
        return DemoExam.Predict(config, task, data.HeldOut, sinks(), stop);
    }
}
