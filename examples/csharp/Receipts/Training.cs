using Fovea;
using Fovea.Events;

namespace Receipts;

/// <summary>The runs: the one that a product needs, and two that make the tiny base.</summary>
internal static class Training
{
    /// <summary>LoRA teaches a model that understands pictures how this business records receipts.</summary>
    /// <param name="model">A folder, or a name on the hub.</param>
    /// <param name="tiny">Whether it is the tiny one, which takes larger steps than a real one bears.</param>
    public static Task Tune(string model, Folders folders, bool tiny, CancellationToken cancel) => Run(
        FineTune.Of(model).On(Dataset.Train).With(o =>
        {
            o.Method = FinetuningType.Lora;
            o.Lora.Rank = 16;
            o.Lora.Targets = ["all"];
            o.Optimizer.LearningRate = tiny ? 4e-3 : 1e-4;
            o.Schedule.BatchSize = tiny ? 16 : 1;
            o.Schedule.GradientAccumulation = tiny ? 1 : 16;
            o.Schedule.Epochs = 2;
        }),
        folders, folders.Adapter, cancel);

    /// <summary>The tiny base from random weights: lines first, then whole receipts. It says what is on a receipt, and knows nothing of records.</summary>
    public static async Task MakeTinyBase(Folders folders, CancellationToken cancel)
    {
        TinyModel.Write(folders.Blank, seed: 7);
        await Run(Whole(folders.Blank, Dataset.Lines), folders, folders.Lines, cancel);
        await Run(Whole(folders.Lines, Dataset.Captions), folders, folders.Base, cancel);

        static FineTune Whole(string model, string dataset) => FineTune.Of(model).On(dataset).With(o =>
        {
            o.Method = FinetuningType.Full;
            o.Freeze.VisionTower = false;
            o.Freeze.Projector = false;
            o.Optimizer.LearningRate = 1.5e-3;
            o.Optimizer.Beta2 = 0.95;
            o.Schedule.BatchSize = 16;
            o.Schedule.GradientAccumulation = 1;
            o.Schedule.Epochs = 1;
        });
    }

    private static async Task Run(FineTune run, Folders folders, string output, CancellationToken cancel)
    {
        Console.WriteLine($"training {output}");
        var result = await run.With(o =>
        {
            o.Data.DatasetFolder = folders.Data;
            o.Schedule.LearningRate = LrSchedulerType.Cosine;
            o.Schedule.WarmupRatio = 0.1;
            o.Output.LoggingSteps = 50;
            o.Output.SaveStrategy = IntervalStrategy.No;
            o.Output.Overwrite = true;
            o.Seed = 7;
        }).To(output).RunAsync(Show, cancel);
        if (result.Interrupted)
        {
            throw new OperationCanceledException(cancel);
        }
    }

    private static void Show(RunEvent e)
    {
        if (e is StepLogged step)
        {
            Console.WriteLine($"  step {step.Step} of {step.TotalSteps}: loss {step.Loss:0.000}");
        }
        else if (e is Warning warning)
        {
            Console.Error.WriteLine($"warning: {warning.Text}");
        }
    }
}
