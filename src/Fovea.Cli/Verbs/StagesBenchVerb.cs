using System.CommandLine;
using Fovea.Cli.Bench;
using Fovea.Tensors;
using Fovea.Training.Engine;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea bench minimind</c></summary>
internal static class StagesBenchVerb
{
    public static Command Create()
    {
        var dtype = new Option<string>("--dtype") { Description = "Element type of the computation: bf16 or fp32.", DefaultValueFactory = _ => "bf16" };
        dtype.AcceptOnlyFromAmong("bf16", "fp32");
        var steps = new Option<int>("--steps") { Description = "Measured steps, after two that warm up.", DefaultValueFactory = _ => 5 };
        var threads = new Option<int?>("--threads") { Description = "Threads of one operator; left out, the CPUs that may be used." };
        var moe = new Option<bool>("--moe") { Description = "The mixture of experts." };
        var cached = new Option<bool>("--cached-vision") { Description = "The encoder's features from the first step on, as from the second epoch." };
        var peer = new Option<bool>("--peer") { Description = "The same job in PyTorch too, in turns." };
        var pad = new Option<int>("--pad") { Description = "Tokens to which the peer fills samples up, as the project does (768); 0 for none." };
        var verb = new Command("minimind", """
            Training steps of MiniMind-3V at its published size (65 M weights, 200 M with experts, and its encoder): 4 samples of 260 tokens with an image.

              fovea bench minimind --peer
              fovea bench minimind --moe --dtype fp32 --threads 1 --peer
            """)
        {
            dtype, steps, threads, moe, cached, peer, pad,
        };
        verb.SetAction(parsed =>
        {
            parsed.InvocationConfiguration.Output.WriteLine(StepThread.Run(() =>
            {
                Torch.Threads = parsed.GetValue(threads) ?? Torch.Threads;
                var compute = parsed.GetValue(dtype) == "fp32" ? DType.F32 : DType.BF16;
                return StagesBench.Run(
                    compute, parsed.GetValue(moe), parsed.GetValue(cached), Math.Max(1, parsed.GetValue(steps)), parsed.GetValue(peer), parsed.GetValue(pad));
            }));
            return 0;
        });
        return verb;
    }
}
