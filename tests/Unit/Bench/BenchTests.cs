using System.Text.Json;
using Fovea.Cli.Bench;
using Fovea.Models;

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

        Assert.Equal(1, batch.LossWeight.Sum(), 1e-5);
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
        var json = JsonDocument.Parse(BenchOutput.ToJson(new SmallResult("door", new Dictionary<string, double> { ["detach_microseconds"] = 1.5 })));
        Assert.Equal("door", json.RootElement.GetProperty("job").GetString());
        Assert.Equal(1.5, json.RootElement.GetProperty("figures").GetProperty("detach_microseconds").GetDouble());
        Assert.False(json.RootElement.TryGetProperty("peer", out _));
    }
}
