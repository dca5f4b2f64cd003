using System.CommandLine;
using Fovea.Cli.Verbs;

namespace Fovea.Bench.Verbs;

/// <summary><c>fovea bench dora</c></summary>
internal static class DoraBenchVerb
{
    public static Command Create()
    {
        var (dtype, steps, json, threads) = (BenchVerb.DTypeOption(), BenchVerb.StepsOption(3), ResultFile.Option(), BenchVerb.ThreadsOption());
        var verb = new Command("dora", """
            Training steps of the mid model with DoRA and with LoRA of the same rank, in turns.

              fovea bench dora
              fovea bench dora --dtype fp32 --steps 5 --json dora.json
            """)
        {
            dtype, steps, json, threads,
        };
        return BenchVerb.Small(verb, json, parsed => BenchVerb.Measure(parsed.GetValue(threads), () => DoraBench.Run(
            BenchVerb.TypeOf(parsed.GetValue(dtype)), BenchVerb.Rounds(parsed, steps)), BenchVerb.TypeOf(parsed.GetValue(dtype))));
    }
}
