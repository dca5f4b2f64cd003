using System.CommandLine;
using Fovea.Cli.Verbs;

namespace Fovea.Bench.Verbs;

/// <summary><c>fovea bench qlora</c></summary>
internal static class QloraBenchVerb
{
    public static Command Create()
    {
        var (dtype, steps, json, threads) = (BenchVerb.DTypeOption(), BenchVerb.StepsOption(3), ResultFile.Option(), BenchVerb.ThreadsOption());
        var verb = new Command("qlora", """
            Training steps of the mid model over a base in 16 bits and over one in 4, in turns.

              fovea bench qlora
              fovea bench qlora --dtype fp32 --steps 5 --json qlora.json
            """)
        {
            dtype, steps, json, threads,
        };
        return BenchVerb.Small(verb, json, parsed => BenchVerb.Measure(parsed.GetValue(threads), () => QloraBench.Run(
            BenchVerb.TypeOf(parsed.GetValue(dtype)), BenchVerb.Rounds(parsed, steps)), BenchVerb.TypeOf(parsed.GetValue(dtype))));
    }
}
