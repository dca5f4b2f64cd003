using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Training.Config;
using Fovea.Training.Optim;

namespace Fovea.Tests.Unit.Devices;

/// <summary>Which device a run takes, and the update that waits for none.</summary>
public sealed class DeviceTests : NativeTest
{
    [Theory]
    [InlineData("auto", 0, null, "cpu")]
    [InlineData("auto", 2, null, "cuda:0")]
    [InlineData("auto", 4, "3", "cuda:3")]
    [InlineData("cuda", 2, "1", "cuda:1")]
    [InlineData("cuda:1", 2, "0", "cuda:1")]
    [InlineData("cpu", 2, "1", "cpu")]
    public void The_device_follows_the_key_the_cards_and_the_rank(string name, int cards, string? rank, string expected) =>
        Assert.Equal(expected, Fovea.Tensors.Devices.Choose(name, cards, rank).ToString());

    [Theory]
    [InlineData("cuda", 0, null, "asks for GPU 0")]
    [InlineData("cuda:2", 2, null, "cuda:2 asks for GPU 2")]
    [InlineData("auto", 2, "2", "LOCAL_RANK=2")]
    [InlineData("gpu", 2, null, "not known")]
    [InlineData("cuda:x", 2, null, "not known")]
    public void A_card_that_is_not_there_is_refused_with_the_remedy(string name, int cards, string? rank, string message)
    {
        var e = Assert.Throws<ConfigException>(() => Fovea.Tensors.Devices.Choose(name, cards, rank));
        Assert.Contains(message, e.Message);
    }

    [Fact]
    public void An_unknown_device_is_a_problem_of_the_configuration()
    {
        var e = Assert.Throws<ConfigException>(() => TrainConfig.Parse("device: tpu\nmodel_name_or_path: x\ndataset: x\noutput_dir: x", "test"));
        Assert.Contains("device: 'tpu'", e.Message);
    }

    [Theory]
    [InlineData(0.01)]
    [InlineData(1000)]
    [InlineData(0)]
    public void The_queued_update_equals_norm_clipping_and_step_one_after_the_other(double maxNorm)
    {
        using var scope = TensorScope.Open("test");
        var (queued, norm) = Weights(optimizer =>
        {
            var result = optimizer.Update(0.1, maxNorm, CreateOps.Full([], 2.5)).ToArray<double>();
            Assert.Equal(2.5, result[0]);
            return result[1];
        });
        var (separate, expected) = Weights(optimizer =>
        {
            var found = optimizer.Clip(maxNorm);
            optimizer.Step(0.1);
            return found;
        });
        Assert.Equal(expected, norm, 1e-6);
        for (var i = 0; i < queued.Length; i++)
        {
            Assert.Equal(separate[i], queued[i], 1e-6);
        }
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void A_loss_that_is_no_number_leaves_weights_moments_and_step_as_they_were(double loss)
    {
        using var scope = TensorScope.Open("test");
        var (after, _) = Weights(optimizer =>
        {
            optimizer.Update(0.1, 1, CreateOps.Full([], loss));
            Assert.All(optimizer.State, saved => Assert.True(
                !saved.Name.Contains("exp_avg") && !saved.Name.EndsWith(".step") || saved.Value.Abs().Sum().Item() == 0, saved.Name));
            Assert.All(optimizer.Parts, p => Assert.Null(p.Value.Grad()));
            return 0;
        });
        var (before, _) = Weights(_ => 0);
        Assert.Equal(before, after);
    }

    /// <summary>Values of some adapters after their gradients were set and something was done with them.</summary>
    private static (float[] Values, double Result) Weights(Func<AdamW, double> act)
    {
        Torch.Seed(3);
        using var ledger = new Ledger(new RandomSource(1), new LedgerOptions());
        _ = new Linear(ledger.Root / "a", 5, 3);
        _ = new Linear(ledger.Root / "b", 3, 4);
        Adapters.Attach(ledger, new LoraOptions { Rank = 2 }, _ => true);
        using var optimizer = new AdamW(ledger.Trainable, 0.9, 0.999, 1e-8, 0.01);
        foreach (var parameter in ledger.Trainable)
        {
            parameter.Value.SetGrad(CreateOps.Empty(parameter.Shape).Normal_(0, 1));
        }

        var result = act(optimizer);
        optimizer.ClearGradients();
        return ([.. ledger.Trainable.SelectMany(p => p.Value.Detach().ToArray<float>())], result);
    }
}
