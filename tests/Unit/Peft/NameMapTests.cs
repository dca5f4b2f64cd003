using Fovea.Models;
using Fovea.Tests.Unit.Training;

namespace Fovea.Tests.Unit.Peft;

/// <summary>Names go from the ledger to files and back without loss.</summary>
public sealed class NameMapTests : NativeTest
{
    [Fact]
    public void Every_weight_of_every_family_comes_back_from_the_name_it_is_saved_under()
    {
        var seen = 0;
        foreach (var what in EveryModel.Names)
        {
            using var model = EveryModel.Build(what, new ModelOptions());
            foreach (var name in model.Ledger.Parameters.Select(parameter => parameter.Name))
            {
                Assert.True(model.Names.ToLedger(model.Names.ToModule(name)) == name, $"{what}: {name} is saved as {model.Names.ToModule(name)}");
                Assert.Equal(name, model.Names.ToLedger(name));
                seen++;
            }
        }

        Assert.InRange(seen, 300, int.MaxValue);
    }
}
