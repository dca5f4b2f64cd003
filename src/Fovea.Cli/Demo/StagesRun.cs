using System.Diagnostics;
using System.Globalization;
using Fovea.Runs.Events;
using Fovea.Tensors;
using Fovea.Training.Session;

namespace Fovea.Cli.Demo;

/// <summary>
/// The two stages of MiniMind-V on drawn pictures, from a language model with random weights: the projector and the last layer learn captions, then
/// everything but the encoder learns questions too. After each the model is asked about pictures that it never saw.
/// </summary>
internal sealed class StagesRun(DemoOptions options, TextWriter output, Func<IEnumerable<IEventSink>> sinks, CancellationToken stop)
{
    private readonly DemoFolder folder = DemoFolder.Create(options.Output);

    /// <returns>What was asked, and percent right before, after the first and after the second stage.</returns>
    /// <exception cref="OperationCanceledException">It was stopped on request.</exception>
    public IReadOnlyList<(DemoTask Task, double Blank, double Pretrained, double Tuned)> Run()
    {
        Torch.Threads = 1;
        var watch = Stopwatch.StartNew();
        Say($"1/4 drawing {options.Pictures + options.HeldOut} pictures of coloured shapes");
        var data = DemoData.Write(folder.Data, options);
        stop.ThrowIfCancellationRequested();

        Say("2/4 making a small MiniMind-V with random weights");
        var tokenizer = new DemoTokenizer(DemoData.Texts);
        var weights = StepThread.Run(() => StagesModel.Write(folder.Blank, tokenizer, options.Seed));
        Line($"{weights / 1e6:0.00} million weights, {tokenizer.VocabularySize} tokens, in {folder.Blank}");
        var blank = Ask(folder.Blank, data);

        Say("3/4 pretraining: training projector and last layer to describe a picture");
        Train(folder.BaseConfig, Pretrain());
        var pretrained = Ask(folder.Base, data);

        Say("4/4 fine-tuning: everything but the encoder is trained, on a new question too");
        Train(folder.AdapterConfig, Tune());
        var tuned = Ask(folder.Adapter, data);

        output.WriteLine();
        Line($"{"",-30}{"chance",10}{"before",10}{"stage 1",10}{"stage 2",10}");
        DemoTask[] tasks = [DemoTask.Describe, DemoTask.Fruit];
        for (var i = 0; i < tasks.Length; i++)
        {
            Line($"{tasks[i].Question,-30}{tasks[i].Chance,8:0.0} %{blank[i],8:0.0} %{pretrained[i],8:0.0} %{tuned[i],8:0.0} %");
        }

        Line($"time         {(int)watch.Elapsed.TotalMinutes} min {watch.Elapsed.Seconds} s");
        var picture = Path.Combine(folder.Data, data.HeldOut[0].File);
        Line($"ask it: {StartedAs.Command} chat --model {folder.Adapter} --image {picture} --prompt \"{DemoTask.Fruit.Question}\"");
        return [.. tasks.Select((task, i) => (task, blank[i], pretrained[i], tuned[i]))];
    }

    private void Say(string what) => output.WriteLine($"\n{what}");

    private void Line(FormattableString text) => output.WriteLine($"  {text.ToString(CultureInfo.InvariantCulture)}");

    private void Train(string path, string yaml)
    {
        File.WriteAllText(path, yaml);
        Line($"as {path} says (the same as: {StartedAs.Command} train {path})");
        if (FineTune.FromFile(path).Run(sinks(), stop).Interrupted)
        {
            throw new OperationCanceledException(stop);
        }
    }

    private double[] Ask(string model, DemoData data) =>
    [
        .. new[] { DemoTask.Describe, DemoTask.Fruit }.Select(
            task => DemoExam.Accuracy(DemoExam.Take(model, null, task, folder.Data, data.HeldOut, stop))),
    ];

    private string Pretrain() => string.Create(CultureInfo.InvariantCulture, $"""
        # The first stage of '{StartedAs.Command} demo --minimind': pictures with captions.
        model_name_or_path: {folder.Blank}
        stage: pretrain
        finetuning_type: freeze
        freeze_trainable_layers: 1
        freeze_extra_modules: vision_proj
        freeze_multi_modal_projector: false
        dataset: {DemoData.PicturesName}
        dataset_dir: {folder.Data}
        max_seq_len: 256
        output_dir: {folder.Base}
        learning_rate: 3.0e-3
        num_train_epochs: {options.BaseEpochs}
        {Common(options.BaseLoggingSteps)}
        """);

    private string Tune() => string.Create(CultureInfo.InvariantCulture, $"""
        # The second stage of '{StartedAs.Command} demo --minimind': captions, a new question, and words without pictures.
        model_name_or_path: {folder.Base}
        stage: sft
        finetuning_type: full
        freeze_llm: 0
        dataset: {DemoData.PicturesName},{DemoData.FruitName},{DemoData.WordsName}
        dataset_dir: {folder.Data}
        max_seq_len: 256
        output_dir: {folder.Adapter}
        learning_rate: 1.5e-3
        num_train_epochs: {options.AdapterEpochs}
        {Common(options.AdapterLoggingSteps)}
        """);

    private string Common(int loggingSteps) => string.Create(CultureInfo.InvariantCulture, $"""
        overwrite_output_dir: true
        logging_steps: {loggingSteps}
        save_strategy: "no"
        plot_loss: true
        per_device_train_batch_size: {options.BatchSize}
        lr_scheduler_type: cosine_to_tenth
        adam_beta2: 0.95
        disable_gradient_checkpointing: true
        vision_cache_dir: none
        seed: {options.Seed}
        """);
}
