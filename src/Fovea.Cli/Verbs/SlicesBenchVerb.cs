using System.CommandLine;
using Fovea.Cli.Bench;
using Fovea.Tensors;
using Fovea.Training.Engine;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea bench minicpm</c></summary>
internal static class SlicesBenchVerb
{
    public static Command Create()
    {
        var dtype = new Option<string>("--dtype") { Description = "Element type of the computation: bf16 or fp32.", DefaultValueFactory = _ => "bf16" };
        dtype.AcceptOnlyFromAmong("bf16", "fp32");
        var steps = new Option<int>("--steps") { Description = "Measured steps, after one that warms up.", DefaultValueFactory = _ => 3 };
        var threads = new Option<int?>("--threads") { Description = "Threads of one operator; left out, the CPUs that may be used." };
        var depth = new Option<int>("--depth") { Description = "Blocks of the language model, and of the tower.", DefaultValueFactory = _ => 12 };
        var lora = new Option<bool>("--lora") { Description = "The official LoRA, with embeddings, resampler and tower trained whole; else every weight." };
        var frozen = new Option<bool>("--frozen-tower") { Description = "The vision tower does not learn (tune_vision false)." };
        var cached = new Option<bool>("--cached-vision") { Description = "With --frozen-tower: its features kept, as from the second epoch on." };
        var peer = new Option<bool>("--peer") { Description = "The same job in PyTorch and Transformers too, in turns." };
        var attention = new Option<string?>("--peer-attention") { Description = "eager or sdpa; left out, eager in bf16 and sdpa in fp32." };
        attention.AcceptOnlyFromAmong("eager", "sdpa");
        var trace = new Option<string?>("--trace") { Description = "Write a trace of one more step of ours to this file." };
        var verb = new Command("minicpm", """
            Training steps of a MiniCPM-V-2.6 of 203 M random weights: 2 samples of 448 tokens with three images in eight slices.

              fovea bench minicpm --peer
              fovea bench minicpm --lora --dtype fp32 --depth 3 --threads 1 --peer
            """)
        {
            dtype, depth, steps, threads, lora, frozen, cached, peer, attention, trace,
        };
        verb.SetAction(parsed =>
        {
            if (parsed.GetValue(cached) && !parsed.GetValue(frozen))
            {
                throw new ConfigException("--cached-vision needs --frozen-tower: features of a tower that learns change with every step");
            }

            parsed.InvocationConfiguration.Output.WriteLine(StepThread.Run(() =>
            {
                Torch.Threads = parsed.GetValue(threads) ?? Torch.Threads;
                var compute = parsed.GetValue(dtype) == "fp32" ? DType.F32 : DType.BF16;
                return SlicesBench.Run(
                    compute, Math.Max(1, parsed.GetValue(depth)), parsed.GetValue(lora), parsed.GetValue(frozen), parsed.GetValue(cached),
                    Math.Max(1, parsed.GetValue(steps)), parsed.GetValue(peer), parsed.GetValue(attention), parsed.GetValue(trace));
            }));
            return 0;
        });
        return verb;
    }
}
