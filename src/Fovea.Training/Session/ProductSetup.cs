using Fovea.Distributed;
using Fovea.Tensors;

namespace Fovea.Training.Session;

/// <summary>
/// What the CPU multiplies matrices with in this run. A measurement decides for a new run and rank 0 for all ranks; it is kept in checkpoints, because another
/// kernel gives other last bits: a resumed run goes on with the one that it began with.
/// </summary>
internal static class ProductSetup
{
    /// <summary>Under this name a run's progress keeps it.</summary>
    public const string Name = "products";

    /// <summary>Decides, and multiplies with it from now on.</summary>
    /// <param name="compute">The element type that matters.</param>
    /// <param name="device">On others than the CPU there is nothing to decide.</param>
    /// <param name="resumed">The progress of the checkpoint that a run goes on from; null where none does.</param>
    /// <returns>What is in use, and what the user is to know about it.</returns>
    /// <exception cref="ConfigException">The environment asks for what this processor does not have.</exception>
    public static ProductDecision Apply(DType compute, Mesh mesh, Device device, RunProgress? resumed = null)
    {
        if (device.Type != DeviceType.Cpu)
        {
            return new ProductDecision(ProductChoice.Rule, []);
        }

        var reasons = new List<string>();
        var text = mesh.FromMain("the choice of product kernels", () =>
        {
            var decision = resumed is null ? ProductPolicy.ForMachine(CacheFolder.Path, compute) : OfCheckpoint(resumed, compute);
            reasons.AddRange(decision.Reasons);
            return decision.Choice.ToString();
        });
        var choice = ProductChoice.Parse(text!)!;
        if (mesh.Any("whether a rank lacks a product kernel", !choice.Fits()))
        {
            reasons.Clear();
            reasons.Add($"products: {choice} is not there on {(mesh.WorldSize > 1 ? "every rank's" : "this")} processor; {ProductChoice.Rule} instead, "
                + "with which the last bits of the numbers differ");
            choice = ProductChoice.Rule;
        }

        choice.Use();
        return new ProductDecision(choice, reasons);
    }

    private static ProductDecision OfCheckpoint(RunProgress resumed, DType type)
    {
        var kept = resumed.Choice(Name);
        if (kept is not null && ProductChoice.Parse(kept) is null)
        {
            return new ProductDecision(
                ProductChoice.Rule, [$"products: the checkpoint was made with \"{kept}\", which this version does not know; {ProductChoice.Rule} instead"]);
        }

        var then = kept is null ? ProductChoice.Rule : ProductChoice.Parse(kept)!;
        if (ProductPolicy.FromEnvironment(type) is not { } asked || asked == then.Of(type))
        {
            return new ProductDecision(then, then == ProductChoice.Rule ? [] : [$"products: {then}, as the run began"]);
        }

        var now = then.With(type, asked);
        return new ProductDecision(now, [$"products: {now} as the environment asks for, the run began with {then}: the last bits of its numbers change"]);
    }
}
