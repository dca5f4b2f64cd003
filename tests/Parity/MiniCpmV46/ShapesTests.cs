using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn;

namespace Fovea.Tests.Parity.MiniCpmV46;

/// <summary>The published size on the meta device, counted as Transformers counts it (tests/goldens/minicpm_configs).</summary>
public sealed class ShapesTests : NativeTest
{
    [Fact]
    public void The_published_size_has_as_many_parameters_as_in_Transformers()
    {
        var source = ModelSource.Open(TestFiles.Golden("minicpm_configs/v46"));
        using var model = source.Build(new MetaSource(), new ModelOptions { Compute = DType.BF16, Device = Device.Meta, Trainable = (_, _) => false });
        Assert.Equal(1_300_428_016, model.Ledger.Count);
        Assert.Equal(522_299_312, Count(ModelPart.Vision));
        Assert.Equal(25_967_104, Count(ModelPart.Projector));
        Assert.Equal(5_411_328, LoraTargets.Choose(model, source.Family, ["all"]).Parameters(8));
        Assert.Equal((32, 32), (model.UsualImage.H, model.UsualImage.W));
        Assert.Equal(64, model.FeatureRows(model.UsualImage));

        long Count(ModelPart part) =>
            model.Ledger.Parameters.Where(parameter => source.Family.PartOf(parameter.Name) == part).Sum(parameter => parameter.Count);
    }
}
