using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Training.Session;

namespace Fovea.Tests.Parity.MiniMindV;

/// <summary>Experts that nothing falls on, and results that must not depend on which rows are asked for.</summary>
public sealed class RouterTests : NativeTest
{
    [Theory]
    [InlineData("a", BlockMode.Keep)]
    [InlineData("c", BlockMode.Keep)]
    [InlineData("c", BlockMode.Recompute)]
    internal void An_expert_without_tokens_has_a_gradient_of_zero(string generation, BlockMode mode)
    {
        using var folder = new MiniMindFolder(generation, "moe");
        using var model = folder.Load(new ModelOptions { Trainable = (part, _) => part == ModelPart.Language, BlockMode = mode });
        var batch = new PackedBatch
        {
            Ids = [300], CuSeqlens = [0, 1], SampleIndices = [0], SampleGroup = [0], SampleWeight = [1], Grids = [], ImagePaths = [], ImageStarts = [0, 0],
            ImageTokens = [], ImageSlots = [],
            LossIndex = [0], Targets = [301],
        };
        new StepRunner(model, visionLearns: false).Train(batch, 0);
        var zero = 0;
        foreach (var parameter in model.Ledger.Trainable.Where(p => p.Name.Contains(".experts.", StringComparison.Ordinal)))
        {
            using var scope = TensorScope.Open("test");
            zero += parameter.Value.Grad()!.Abs().Max().Item() == 0 ? 1 : 0;
        }

        // One token: of four experts in every layer two (A) or three (C) have nothing, three weights each.
        Assert.Equal(model.Layers * (folder.IsA ? 2 : 3) * 3, zero);
    }
}
