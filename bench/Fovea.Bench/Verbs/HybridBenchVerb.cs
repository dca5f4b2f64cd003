using System.CommandLine;
using Fovea.Cli.Verbs;

namespace Fovea.Bench.Verbs;

/// <summary><c>fovea bench hybrid</c></summary>
internal static class HybridBenchVerb
{
    public static Command Create()
    {
        var (dtype, steps, json, threads) = (BenchVerb.DTypeOption(), BenchVerb.StepsOption(3), ResultFile.Option(), BenchVerb.ThreadsOption());
        var selective = new Option<bool>("--selective") { Description = "Recompute only what is cheap." };
        var verb = new Command("hybrid", """
            Training steps of a Qwen3.5 in miniature (nine recurrent layers, three that attend): LoRA of rank 8, 4 texts of 512 tokens; beside its own products.

              fovea bench hybrid
              fovea bench hybrid --dtype fp32 --steps 3 --json hybrid.json
            """)
        {
            dtype, steps, json, threads, selective,
        };
        return BenchVerb.Small(verb, json, parsed => BenchVerb.Measure(parsed.GetValue(threads), () => HybridBench.Run(
            BenchVerb.TypeOf(parsed.GetValue(dtype)), parsed.GetValue(selective), BenchVerb.Rounds(parsed, steps)), BenchVerb.TypeOf(parsed.GetValue(dtype))));
    }
}
