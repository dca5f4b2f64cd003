using System.Text.Json;
using Fovea.Bench;
using Fovea.Cli.Verbs;
using Fovea.Models;
using Fovea.Testing;

namespace Fovea.Tests.Unit.Bench;

/// <summary>The benchmark's job has the shape it claims, and its figures are computed as they are named.</summary>
public sealed class BenchTests : NativeTest
{
    [Fact]
    public void The_mid_batch_has_four_samples_of_512_tokens_with_one_image_and_256_trained_tokens_each()
    {
        using var batch = MidModel.Batch(4);
        Assert.Equal([0, 512, 1024, 1536, 2048], batch.CuSeqlens);
        Assert.Equal(4 * 144, batch.ImageSlots.Length);
        Assert.Equal(4 * 576, batch.Patches);
        Assert.Equal(4 * 256, batch.LossIndex.Length);
        Assert.All(batch.ImageSlots, slot => Assert.Equal(31912, batch.Ids[slot]));
        for (var i = 0; i < batch.LossIndex.Length; i++)
        {
            Assert.Equal(batch.Ids[batch.LossIndex[i] + 1], batch.Targets[i]);
            Assert.InRange(batch.LossIndex[i] % 512, 255, 510);
        }

    }

    [Fact]
    public void The_mid_model_has_as_many_parameters_as_the_same_configuration_in_Transformers()
    {
        using var model = MidModel.Build(new ModelOptions { Compute = DType.BF16, Device = Device.Meta });
        Assert.Equal(229_942_272, model.Ledger.Count);
    }

    [Fact]
    public void The_median_of_an_even_number_of_values_lies_between_the_two_in_the_middle()
    {
        Assert.Equal(2, Timings.MedianOf([3, 1, 2]));
        Assert.Equal(2.5, Timings.MedianOf([4, 1, 3, 2]));
        Assert.Throws<ArgumentException>(() => Timings.MedianOf([]));
    }

    [Fact]
    public void Results_are_written_in_snake_case()
    {
        var json = JsonDocument.Parse(ResultFile.ToJson(new SmallResult("door", new Dictionary<string, double> { ["detach_microseconds"] = 1.5 })));
        Assert.Equal("door", json.RootElement.GetProperty("job").GetString());
        Assert.Equal(1.5, json.RootElement.GetProperty("figures").GetProperty("detach_microseconds").GetDouble());
        Assert.False(json.RootElement.TryGetProperty("peer", out _));
    }

    [Fact]
    public void The_mid_result_has_the_keys_that_programs_read()
    {
        var result = new MidResult
        {
            Commit = "c", Hardware = "h", Libtorch = "2.14.1", Threads = 2, Dtype = "bf16", Recompute = false, CachedVision = true,
            Parameters = 3, TrainableParameters = 2, StepSecondsMedian = 1.5, StepSecondsBest = 1.25, StepCpuSecondsMedian = 2, StepSeconds = [1.25, 1.75],
            TokensPerSecond = 2048 / 1.25, TokensPerSecondMedian = 2048 / 1.5, FloorSeconds = 0.5, FloorSecondsBest = 0.5, FloorCpuSecondsMedian = 1,
            FloorGflop = 1400, GemmGflopPerSecond = 2800, StepOverFloor = 3, PeakRssMib = 1700, PeakAnonMib = 1600, Losses = [10.4],
            Peer = Peer().With(Of(4.5, 5.5), oursMedian: 1.5, oursBest: 1.25),
        };
        var json = JsonDocument.Parse(ResultFile.ToJson(result)).RootElement;
        double Value(JsonElement of, string key) => of.GetProperty(key).GetDouble();
        Assert.Equal("mid", json.GetProperty("job").GetString());
        Assert.Equal("2.14.1", json.GetProperty("libtorch").GetString());
        Assert.Equal(1.5, Value(json, "step_seconds_median"));
        Assert.Equal(1.25, Value(json, "step_seconds_best"));
        Assert.Equal(1638.4, Value(json, "tokens_per_second"));
        Assert.Equal(0.5, Value(json, "floor_seconds"));
        Assert.Equal(1700, Value(json, "peak_rss_mib"));
        Assert.Equal(1600, Value(json, "peak_anon_mib"));
        var peer = json.GetProperty("peer");
        Assert.Equal(4, Value(peer, "speed_ratio_median"));
        Assert.Equal(5 / 1.5, Value(peer, "speed_ratio_median_both_cached"));
        Assert.Equal(4.5 / 1.25, Value(peer, "speed_ratio_best_both_cached"));
    }

    [Fact]
    public void Without_cached_steps_of_the_peer_there_is_no_ratio_of_them()
    {
        Assert.Null(Peer().With(new Timings(), 1, 1).SpeedRatioMedianBothCached);
    }

    private static Timings Of(params double[] seconds)
    {
        var timings = new Timings();
        foreach (var value in seconds)
        {
            timings.Add(value, value);
        }

        return timings;
    }

    private static PeerResult Peer() => new()
    {
        Torch = "2.14.1", Transformers = "5.12.1", Attention = "eager", Recompute = false, StepSecondsMedian = 6, StepSecondsBest = 6, StepCpuSecondsMedian = 6,
        StepSeconds = [6], TokensPerSecond = 340, PeakRssMib = 4300, PeakAnonMib = 4100, Losses = [10.4], SpeedRatioMedian = 4, SpeedRatioBest = 4.8,
        SpeedRatioCpu = 4, MemoryRatio = 0.4,
    };
}
