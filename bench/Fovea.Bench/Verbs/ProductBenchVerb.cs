using System.CommandLine;
using Fovea.Cli.Verbs;
using Fovea.Tensors;

namespace Fovea.Bench.Verbs;

/// <summary><c>fovea bench products</c></summary>
internal static class ProductBenchVerb
{
    public static Command Create()
    {
        var (rounds, json, threads) = (BenchVerb.StepsOption(5), ResultFile.Option(), BenchVerb.ThreadsOption());
        var types = new Option<string[]>("--dtype")
        {
            Description = "fp32, bf16 or fp16; may be repeated.",
            DefaultValueFactory = _ => ["fp32", "bf16"],
            AllowMultipleArgumentsPerToken = true,
        };
        types.AcceptOnlyFromAmong([.. ProductChoice.Types.Select(type => type.Name)]);
        var verb = new Command("products", """
            Matrix products of linear layers with every kernel this processor supports, next to its peak in registers alone: GFLOP/s.

              fovea bench products
              fovea bench products --dtype bf16 --steps 9 --json products.json
            """)
        {
            types, rounds, json, threads,
        };
        verb.SetAction(parsed =>
        {
            var result = BenchVerb.Measure(parsed.GetValue(threads), () => ProductBench.Run(
                parsed.GetValue(types)!, BenchVerb.Rounds(parsed, rounds), CacheFolder.Path, Console.Error.WriteLine));
            BenchOutput.Print(result);
            ResultFile.Save(result, parsed.GetValue(json));
            return 0;
        });
        return verb;
    }
}
