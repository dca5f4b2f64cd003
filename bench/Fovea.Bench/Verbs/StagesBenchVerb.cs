using System.CommandLine;
using Fovea.Cli.Verbs;

namespace Fovea.Bench.Verbs;

/// <summary><c>fovea bench minimind</c></summary>
internal static class StagesBenchVerb
{
    public static Command Create()
    {
        var (dtype, steps, json, threads) = (BenchVerb.DTypeOption(), BenchVerb.StepsOption(5), ResultFile.Option(), BenchVerb.ThreadsOption());
        var moe = new Option<bool>("--moe") { Description = "Use the mixture of experts." };
        var cached = new Option<bool>("--cached-vision") { Description = "Cached encoder features from the first step, as from the second epoch on." };
        var (peer, _) = BenchVerb.PeerOptions();
        var pad = new Option<int>("--pad") { Description = "Length in tokens to which the peer pads samples, as the project does (768); 0 for none." };
        var verb = new Command("minimind", """
            Training steps of MiniMind-3V at its published size (65 M weights, 200 M with experts, and its encoder): 4 samples of 260 tokens with an image.

              fovea bench minimind --peer
              fovea bench minimind --moe --dtype fp32 --threads 1 --peer --json moe.json
            """)
        {
            dtype, steps, json, threads, moe, cached, peer, pad,
        };
        return BenchVerb.Small(verb, json, parsed => BenchVerb.Measure(parsed.GetValue(threads), () => StagesBench.Run(
            BenchVerb.TypeOf(parsed.GetValue(dtype)), parsed.GetValue(moe), parsed.GetValue(cached), BenchVerb.Rounds(parsed, steps),
            parsed.GetValue(peer), parsed.GetValue(pad)), BenchVerb.TypeOf(parsed.GetValue(dtype))));
    }
}
