using System.CommandLine;
using Fovea.Distributed;
using Fovea.Tensors;
using Fovea.Training.Session;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea kernels</c> (not listed): the kernels in use, in the lines of <c>doctor</c>, which asks for them.</summary>
internal static class KernelsVerb
{
    public static Command Create()
    {
        var verb = new Command("kernels", "Report the kernels in use, and what a slower one costs.") { Hidden = true };
        verb.SetAction(parsed =>
        {
            var device = Devices.Choose("auto");
            var products = ProductSetup.Apply(DType.BF16, Mesh.Alone(), device);
            Run(KernelReport.Of(device), parsed.InvocationConfiguration.Output);
            Run(products.Reasons.Select(reason => new KernelFact("bf16", reason)), parsed.InvocationConfiguration.Output);
        });
        return verb;
    }

    internal static void Run(IEnumerable<KernelFact> facts, TextWriter output)
    {
        foreach (var fact in facts)
        {
            output.WriteLine($"  {(fact.Cost is null ? "ok  " : "note")} {fact.Name,-14} {fact.InUse}{(fact.Cost is null ? string.Empty : $": {fact.Cost}")}");
            if (fact.Remedy is not null)
            {
                output.WriteLine($"       {string.Empty,-14} fix: {fact.Remedy}");
            }
        }
    }
}
