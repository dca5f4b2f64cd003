using Fovea.Events;
using Fovea.Runs.Events;
using Fovea.Runs.Files;

namespace Fovea.Tests.Unit.Board;

/// <summary>A run's folder as a run writes it: by the sinks themselves.</summary>
internal sealed class BoardRun : IDisposable
{
    private readonly EventHub hub = new();
    private readonly DateTimeOffset started = DateTimeOffset.Now;
    private readonly int steps;
    private readonly double rate;
    private int step;

    public BoardRun(string folder, int steps = 40, double rate = 1e-4)
    {
        (Folder, this.steps, this.rate) = (folder, steps, rate);
        Directory.CreateDirectory(folder);
        RunFolder.Attach(hub, folder, new TrainerState { MaxSteps = steps });
        hub.Write(new RunStarted
        {
            OutputDir = folder, Model = "models/Qwen2.5-VL-3B-Instruct", Device = "cuda:0, bf16", TrainableParameters = 1, AllParameters = 2, Samples = 400,
            TotalSteps = steps, Time = started,
        });
    }

    public string Folder { get; }

    /// <summary>A run that has ended well, with a checkpoint.</summary>
    public static void Finished(string folder, int steps = 40, double rate = 1e-4)
    {
        using var run = new BoardRun(folder, steps, rate);
        run.Steps(steps);
        run.Checkpoint();
        run.hub.Write(new RunFinished(steps, 2, 0.8, 1.5 * steps) { SamplesTrained = 400, Time = run.started.AddSeconds(1.5 * steps) });
    }

    public void Steps(int count)
    {
        for (var last = step + count; step < last;)
        {
            step++;
            var loss = (2.2 * Math.Exp(-step * rate * 25000 / steps)) + 0.3 + (0.06 * Math.Sin(step * 2.4)) + (0.04 * Math.Cos(step * 7.1));
            var time = started.AddSeconds(1.5 * step);
            hub.Write(new StepDone(step, steps, loss) { Time = time });
            hub.Write(new StepLogged(step, steps, loss, 1 + (0.4 * Math.Cos(step)), rate * (1 - ((double)step / steps)), 2.0 * step / steps)
            {
                Time = time, TokensPerSecond = 5200 + (300 * Math.Sin(step / 3.0)), TotalTokens = 7000L * step,
                MemoryBytes = 9L << 30, MemoryReservedBytes = 11L << 30,
            });
            if (step % Math.Max(1, steps / 8) == 0)
            {
                hub.Write(new Evaluated(step, steps, 2.0 * step / steps, loss + 0.1, 2, 10, 10) { Time = time });
            }
        }
    }

    public void Fail(string why) => hub.Write(new RunFailed(step, why));

    public void Checkpoint() => File.WriteAllText(
        Path.Combine(Directory.CreateDirectory(Path.Combine(Folder, $"checkpoint-{step}")).FullName, "fovea_state.json"),
        $$"""{"step": {{step}}, "base_model": "models/Qwen2.5-VL-3B-Instruct", "settings": {"lora_rank": "8", "learning_rate": "{{rate}}", "seed": "42"} }""");

    public void Dispose() => hub.Dispose();
}
