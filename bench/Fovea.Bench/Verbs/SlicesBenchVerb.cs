using System.CommandLine;
using Fovea.Cli.Verbs;

namespace Fovea.Bench.Verbs;

/// <summary><c>fovea bench minicpm</c></summary>
internal static class SlicesBenchVerb
{
    public static Command Create()
    {
        var (dtype, steps, json, threads) = (BenchVerb.DTypeOption(), BenchVerb.StepsOption(3), ResultFile.Option(), BenchVerb.ThreadsOption());
        var depth = new Option<int>("--depth") { Description = "Number of blocks of the language model, and of the tower.", DefaultValueFactory = _ => 12 };
        var lora = new Option<bool>("--lora") { Description = "The official LoRA, with embeddings, resampler and tower in full; else full fine-tuning." };
        var frozen = new Option<bool>("--frozen-tower") { Description = "Freeze the vision tower (tune_vision false)." };
        var cached = new Option<bool>("--cached-vision") { Description = "With --frozen-tower: cached tower features, as from the second epoch on." };
        var (peer, attention) = BenchVerb.PeerOptions();
        var trace = ResultFile.Option("--trace", "Write a trace of one additional step of ours to this file.");
        var verb = new Command("minicpm", """
            Training steps of a MiniCPM-V-2.6 of 203 M random weights: 2 samples of 448 tokens with three images in eight slices.

              fovea bench minicpm --peer
              fovea bench minicpm --lora --dtype fp32 --depth 3 --threads 1 --peer --json minicpm.json
            """)
        {
            dtype, depth, steps, json, threads, lora, frozen, cached, peer, attention, trace,
        };
        return BenchVerb.Small(verb, json, parsed =>
        {
            if (parsed.GetValue(cached) && !parsed.GetValue(frozen))
            {
                throw new ConfigException("--cached-vision needs --frozen-tower: features of a trainable tower change with every step");
            }

            return BenchVerb.Measure(parsed.GetValue(threads), () => SlicesBench.Run(
                BenchVerb.TypeOf(parsed.GetValue(dtype)), Math.Max(1, parsed.GetValue(depth)), parsed.GetValue(lora), parsed.GetValue(frozen),
                parsed.GetValue(cached), BenchVerb.Rounds(parsed, steps), parsed.GetValue(peer), parsed.GetValue(attention), parsed.GetValue(trace)),
                BenchVerb.TypeOf(parsed.GetValue(dtype)));
        });
    }
}
