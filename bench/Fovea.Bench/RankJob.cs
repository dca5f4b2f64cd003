using System.Diagnostics;
using Fovea.Distributed;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;
using Fovea.Tensors.Collectives;
using Fovea.Testing;
using Fovea.Training.Objectives;
using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Bench;

/// <summary>One rank of the benchmark over ranks: steps of the mid model with blocks computed again, the four samples shared out.</summary>
internal static class RankJob
{
    private const double Mebibyte = 1 << 20;

    public static RankResult Run(RankOptions options, Mesh mesh)
    {
        using var count = MemoryCount.Start();
        var type = options.Fp32 ? DType.F32 : DType.BF16;
        var sharding = new ShardingOptions { Stage = options.Zero };
        using var model = ModelSource.Open(options.Folder).Load(new ModelOptions
        {
            Compute = type,
            BlockMode = BlockMode.Recompute,
            Deferred = sharding.Shards,
            Trainable = (part, _) => options.Full && part == ModelPart.Language,
        });
        if (!options.Full)
        {
            Torch.Seed(1);
            Adapters.Attach(model.Ledger, new LoraOptions { Rank = 8, Alpha = 16 }, path => path.StartsWith("model.layers.", StringComparison.Ordinal));
        }

        using var session = TrainSession.Over(
            model, parts => new AdamW(parts, 0.9, 0.999, 1e-8, 0.01), new SessionOptions(), mesh, Divide(mesh, model, sharding));
        var samples = MidJob.Samples / mesh.WorldSize;
        using var batch = options.Tokens is { } tokens ? MidModel.Text(samples, tokens) : MidModel.Batch(samples);
        var objective = new TokenLoss();
        using var feed = session.Feed(new RepeatedSteps(batch), objective);
        var loss = Step();
        count.TakePeak();
        var (waited, theory, wire) = (mesh.Waited, mesh.Traffic.Total, ProcessGroup.WireBytes);
        var times = new Timings();
        for (var i = 0; i < options.Steps; i++)
        {
            var watch = Stopwatch.StartNew();
            loss = Step();
            times.Add(watch.Elapsed.TotalSeconds, 0);
        }

        theory = mesh.Traffic.Total - theory;
        wire = ProcessGroup.WireBytes - wire;
        waited = mesh.Waited - waited;
        var peak = count.TakePeak();
        var overlap = Trace(Path.Combine(options.Folder, $"trace.{mesh.Rank}.json"));
        return new RankResult(options.Ranks, options.Zero, options.Full)
        {
            StepSecondsMedian = times.Median,
            WaitingSeconds = waited.TotalSeconds / options.Steps,
            CommunicationSeconds = overlap.Seconds / options.Steps,
            HiddenShare = overlap.Share,
            TheoryMegabytes = theory / 1e6 / options.Steps,
            WireMegabytes = wire / 1e6 / options.Steps,
            ModelMegabytes = model.Ledger.Count * type.Size() / 1e6,
            ResidentMebibytes = count.Live / Mebibyte,
            PeakMebibytes = peak / Mebibyte,
            Loss = loss,
        };

        // Apart from the steps that are timed.
        Overlap Trace(string path)
        {
            Profile.Start();
            for (var i = 0; i < options.Steps; i++)
            {
                Step();
            }

            Profile.Stop(path);
            return Overlap.Of(RunTrace.Read(path));
        }

        double Step()
        {
            using var step = feed.Next()!;
            return session.Train(step, objective, 1e-5).Loss!.Value;
        }
    }

    private static ParallelStrategy Divide(Mesh mesh, VisionLanguageModel model, ShardingOptions sharding)
    {
        if (!sharding.Shards)
        {
            return new DataParallel(mesh, model.Ledger.Trainable, model.Head, 25 << 20);
        }

        return new ZeroSharding(mesh, model.Ledger, model.Head, sharding);
    }
}
