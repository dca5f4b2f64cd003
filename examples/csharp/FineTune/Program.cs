// Fine-tunes a model on a folder of images, each with its caption in a text file of the same name (cat.jpg, cat.txt).
//
//   FineTune models/Qwen2.5-VL-3B-Instruct photos saves/captions [STEPS]
//
// Ctrl-C finishes the step and saves a checkpoint; the same command goes on from there.
using System.Globalization;
using Fovea;
using Fovea.Events;

if (args is not [var model, var photos, var output, .. var rest])
{
    Console.Error.WriteLine("usage: FineTune MODEL_FOLDER PHOTO_FOLDER OUTPUT_FOLDER [STEPS]");
    return 2;
}

using var cancel = new CancellationTokenSource();
Console.CancelKeyPress += (_, key) =>
{
    key.Cancel = true;
    cancel.Cancel();
};

// Rows may come from anywhere: a folder as here, a database, a stream. Images are opened when they are needed.
var rows = Directory.EnumerateFiles(photos, "*.txt").Order()
    .Select(caption => (Caption: File.ReadAllText(caption).Trim(), Photo: PhotoOf(caption)))
    .Select(row => new Conversation([Message.User(Image.FromFile(row.Photo), "Describe this picture."), Message.Assistant(row.Caption)]))
    .ToList();
var heldOut = rows.Count / 10;

var run = FineTune.Of(model)
    .On(rows.Skip(heldOut))
    .With(o =>
    {
        o.Lora.Rank = 16;
        o.Optimizer.LearningRate = 1e-4;
        o.Schedule.BatchSize = 1;
        o.Schedule.GradientAccumulation = 4;
        o.Schedule.Epochs = 3;
        o.Schedule.MaxSteps = rest is [var steps] ? int.Parse(steps, CultureInfo.InvariantCulture) : null;
        o.Output.LoggingSteps = 1;
    })
    .To(output);
if (heldOut > 0)
{
    run.Measure(rows.Take(heldOut));
}

try
{
    var plan = run.Plan(new() { Ranks = [1] });
    Console.WriteLine($"{plan.TrainableParameters:N0} of {plan.Parameters:N0} weights are trained; about {plan.Rows[0].Device / 1e9:0.0} GB on {plan.Device}");

    var result = await run.RunAsync(Show, cancel.Token);
    if (result.Interrupted)
    {
        Console.WriteLine($"stopped after step {result.Steps}; {result.Checkpoint} keeps what was done");
        return 130;
    }

    Console.WriteLine($"{result.Steps} steps, mean loss {result.TrainLoss:0.000}"
        + (result.HeldOut is { } measured ? $", {measured.Loss:0.000} on {measured.Samples} held-out rows" : ""));

    await using var tuned = await VisionModel.LoadAsync(model, new() { Adapter = output });
    var answer = await tuned.AnswerAsync([rows[0].Messages[0]], tuned.Generation with { DoSample = false, MaxNewTokens = 40 });
    Console.WriteLine($"{rows[0].Images[0]}: {answer.Text}");
    return 0;
}
catch (ConfigException e)
{
    // Everything that is wrong, at once, before anything was trained.
    Console.Error.WriteLine(string.Join('\n', e.Problems));
    return 2;
}
catch (FoveaException e)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}

static string PhotoOf(string caption) =>
    new[] { ".jpg", ".jpeg", ".png", ".webp" }.Select(ending => Path.ChangeExtension(caption, ending)).FirstOrDefault(File.Exists)
    ?? throw new FileNotFoundException($"no picture beside {caption}");

static void Show(RunEvent e)
{
    switch (e)
    {
        case StepLogged step:
            Console.WriteLine($"step {step.Step} of {step.TotalSteps}: loss {step.Loss:0.0000}, {step.TokensPerSecond:0} tokens/s");
            break;
        case CheckpointSaved saved:
            Console.WriteLine($"saved {saved.Path}");
            break;
        case Warning warning:
            Console.Error.WriteLine($"warning: {warning.Text}");
            break;
    }
}
