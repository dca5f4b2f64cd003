using System.Diagnostics;
using Fovea.Events;
using Fovea.Runs.Events;
using Fovea.Tensors;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Bench;

/// <summary>One training run in this process, through the recipe that <c>fovea train</c> runs, with a trace.</summary>
internal static class DemoOnce
{
    /// <summary>Leaves out evaluation, which is no training; results go to <paramref name="output"/>.</summary>
    public static TrainConfig Prepare(TrainConfig config, string output) => config with
    {
        Run = config.Run with
        {
            OutputDir = output,
            OverwriteOutputDir = true,
            ResumeFromCheckpoint = null,
            EvalStrategy = IntervalStrategy.No,
            DoEval = false,
            Profile = true,
        },
    };

    /// <param name="config">From <see cref="Prepare"/>.</param>
    public static DemoRound Run(TrainConfig config)
    {
        using var memory = new PeakMemory();
        var facts = new Facts();
        SupervisedFineTune.Run(config, [facts]);
        var (started, finished) = (facts.Started!, facts.Finished!);
        var waits = RunTrace.Read(Path.Combine(config.Run.OutputDir, "trace.json")).Where(span => span.Name == RunTrace.WaitForData).ToList();
        using var process = Process.GetCurrentProcess();
        return new DemoRound
        {
            Software = $"libtorch {Torch.Version}",
            Samples = (int)finished.SamplesTrained,
            Tokens = finished.TotalTokens,
            Steps = finished.Step,
            StartupSeconds = (started.Time.UtcDateTime - process.StartTime.ToUniversalTime()).TotalSeconds,
            TrainSeconds = finished.RuntimeSeconds,
            TrainCpuSeconds = facts.CpuAtEnd - facts.CpuAtStart,
            DataWaitSeconds = waits.Sum(span => span.Seconds),
            FirstDataWaitSeconds = waits[0].Seconds,
            PeakRssMib = PeakMemory.ResidentMebibytes,
            PeakAnonMib = memory.AnonymousMebibytes,
            Losses = facts.Losses,
        };
    }

    private sealed class Facts : IEventSink
    {
        internal RunStarted? Started { get; private set; }

        internal RunFinished? Finished { get; private set; }

        internal double CpuAtStart { get; private set; }

        internal double CpuAtEnd { get; private set; }

        internal List<double> Losses { get; } = [];

        private static double CpuSeconds => Environment.CpuUsage.TotalTime.TotalSeconds;

        public void Write(RunEvent e)
        {
            switch (e)
            {
                case RunStarted started:
                    Started = started;
                    CpuAtStart = CpuSeconds;
                    break;
                case StepDone step:
                    Losses.Add(step.Loss ?? double.NaN);
                    CpuAtEnd = CpuSeconds;
                    break;
                case RunFinished finished:
                    Finished = finished;
                    break;
            }
        }
    }
}
