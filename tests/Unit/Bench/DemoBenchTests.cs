using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Bench;
using Fovea.Cli.Verbs;
using Fovea.Data.Datasets;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Models;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Bench;

/// <summary>The demo benchmark trains through the recipe, tells the peer exactly what it trains on, and compares only what is the same.</summary>
public sealed class DemoBenchTests : NativeTest
{
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-demo-bench").FullName;

    [Fact]
    public void A_run_of_our_own_data_has_every_figure()
    {
        var round = DemoOnce.Run(Own());
        Assert.Equal(36, round.Samples);
        Assert.Equal(round.Steps, round.Losses.Count);
        Assert.InRange(round.TrainSeconds, 1e-3, 600);
        Assert.InRange(round.DataWaitSeconds!.Value, round.FirstDataWaitSeconds!.Value, round.TrainSeconds);
        Assert.InRange(round.TrainCpuSeconds, 1e-3, 600);
        var result = new DemoBenchResult { Config = "own", Threads = 1, Dtype = "fp32", Fovea = new DemoSide([round]), Peer = new DemoSide([round]) };
        var json = JsonDocument.Parse(ResultFile.ToJson(result)).RootElement;
        var ours = json.GetProperty("fovea");
        foreach (var key in new[]
        {
            "train_seconds", "startup_seconds", "samples_per_second", "tokens_per_second", "peak_rss_mib", "peak_anon_mib", "data_wait_share",
        })
        {
            Assert.True(ours.GetProperty(key).GetDouble() >= 0, key);
        }

        Assert.Equal(round.Samples / round.TrainSeconds, ours.GetProperty("samples_per_second").GetDouble(), 1e-9);
        Assert.Equal(1, json.GetProperty("samples_per_second_ratio").GetDouble());
        Assert.Equal(round.Losses, BenchOutput.FromJson<DemoRound>(JsonNode.Parse(BenchOutput.ToLine(round))!).Losses);
    }

    [Fact]
    public void The_plan_holds_what_the_pipeline_delivers()
    {
        var config = Own();
        DemoPlan.Write(config, folder);
        Assert.True(File.Exists(Path.Combine(DemoPlan.AdapterIn(folder), "adapter_model.safetensors")));
        var plan = JsonNode.Parse(File.ReadAllText(DemoPlan.PathIn(folder)))!;
        var setup = DataSetup.From(config, ModelSource.Open(config.Model.ModelNameOrPath));
        using var data = DatasetLoader.Load(setup.Options);
        var order = new SampleOrder(DataSetup.Order(config, data.Train.Count, rank: 0, worldSize: 1));
        var total = order.TotalSteps(config.Schedule.NumTrainEpochs, config.Schedule.MaxSteps);
        Assert.Equal(total, plan["steps"]!.AsArray().Count);
        using var pipeline = new DataPipeline(
            data.Train, setup.NewEncoder(), setup.Images, order, DataSetup.Plan(config, 1 << 20, 1), DataSetup.Pipeline(config, 0, total));
        while (pipeline.TryNext(out var step))
        {
            using (step)
            {
                var indices = plan["steps"]![step.Step]!.AsArray().SelectMany(group => group!.AsArray());
                var samples = indices.Select(index => plan["samples"]![$"{index}"]!).ToList();
                var batch = Assert.Single(step.MicroBatches);
                Assert.Equal(batch.Ids, samples.SelectMany(s => s["ids"]!.AsArray()).Select(id => (long)id!));
                Assert.Equal(batch.Targets, samples.SelectMany(s => s["labels"]!.AsArray().Skip(1)).Select(id => (long)id!).Where(id => id != -100));
                var images = samples.SelectMany(s => s["images"]!.AsArray()).ToList();
                Assert.Equal(batch.ImagePaths.Select(Path.GetFullPath), images.Select(i => (string)i!["path"]!));
                Assert.Equal(batch.Grids.Select(g => g.H), images.Select(i => (int)i!["grid"]![1]!));
            }
        }
    }

    [Fact]
    public void What_the_peer_cannot_train_is_refused_with_every_reason()
    {
        var tuning = new TuningSection { FinetuningType = FinetuningType.Full, LoraDropout = 0.1 };
        var e = Assert.Throws<ConfigException>(() => DemoPlan.Write(Own() with { Tuning = tuning }, folder));
        Assert.Equal(2, e.Problems.Count);
        Assert.Contains("finetuning_type: lora", e.Message);
        Assert.Contains("lora_dropout: 0", e.Message);
    }

    [Fact]
    public void Runs_that_do_not_train_the_same_are_not_compared()
    {
        var round = Made(loss: 2);
        DemoBench.RequireSameJob(round, round with { Losses = [2.009] });
        Assert.Contains("first losses differ", Assert.Throws<ConfigException>(() => DemoBench.RequireSameJob(round, Made(loss: 2.02))).Message);
        Assert.Throws<ConfigException>(() => DemoBench.RequireSameJob(round, Made(loss: double.NaN)));
        var other = Assert.Throws<ConfigException>(() => DemoBench.RequireSameJob(round, round with { Samples = 9 }));
        Assert.Contains("8 samples, 80 tokens and 1 steps here, 9", other.Message);
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private static DemoRound Made(double loss) => new()
    {
        Software = "made up", Samples = 8, Tokens = 80, Steps = 1, StartupSeconds = 1, TrainSeconds = 2, TrainCpuSeconds = 2, PeakRssMib = 3, PeakAnonMib = 3,
        Losses = [loss],
    };

    /// <summary>18 samples, twice.</summary>
    private TrainConfig Own()
    {
        var (path, overrides) = DemoFixture.Write(Path.Combine(folder, "own"), pictures: 18);
        return DemoOnce.Prepare(TrainConfig.Load(path, [.. overrides, "dataset=demo_pictures"]), Path.Combine(folder, "out"));
    }
}
