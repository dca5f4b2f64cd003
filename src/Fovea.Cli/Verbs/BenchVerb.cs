using System.CommandLine;
using Fovea.Cli.Bench;
using Fovea.Tensors;
using Fovea.Training.Engine;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea bench JOB</c>: measures this machine and this build.</summary>
public static class BenchVerb
{
    public static Command Create()
    {
        var verb = new Command("bench", "Measures speed and memory: how fast this machine and this build are, beside PyTorch and Transformers when asked.");
        verb.Subcommands.Add(Mid());
        verb.Subcommands.Add(Decode());
        verb.Subcommands.Add(Images());
        verb.Subcommands.Add(Tokens());
        verb.Subcommands.Add(Door());
        return verb;
    }

    private static Command Mid()
    {
        var dtype = DTypeOption();
        var steps = StepsOption(5);
        var json = JsonOption();
        var threads = ThreadsOption();
        var recompute = new Option<bool>("--recompute") { Description = "Compute blocks again in the backward pass instead of keeping activations." };
        var selective = new Option<bool>("--selective") { Description = "Compute only norms and the gate of the MLP again." };
        var cached = new Option<bool>("--cached-vision") { Description = "Image features from the first step on, as from the second epoch." };
        var (peer, attention) = PeerOptions();
        var verb = new Command("mid", """
            Training steps of a Qwen2.5-VL of 230 M parameters: 4 samples of 512 tokens with one image and 256 trained tokens each, LoRA of rank 8.

              fovea bench mid
              fovea bench mid --dtype fp32 --steps 3 --peer --json mid.json
            """)
        {
            dtype, steps, json, threads, recompute, selective, cached, peer, attention,
        };
        verb.SetAction(parsed =>
        {
            var options = new MidOptions
            {
                DType = TypeOf(parsed.GetValue(dtype)),
                Steps = Math.Max(1, parsed.GetValue(steps)),
                Recompute = parsed.GetValue(recompute),
                Selective = parsed.GetValue(selective),
                CachedVision = parsed.GetValue(cached),
                Peer = parsed.GetValue(peer),
                PeerAttention = parsed.GetValue(attention),
            };
            var result = Measure(parsed.GetValue(threads), () => MidBench.Run(options, Console.Error.WriteLine));
            BenchOutput.Print(result);
            BenchOutput.Save(result, parsed.GetValue(json));
            return 0;
        });
        return verb;
    }

    private static Command Decode()
    {
        var (dtype, rounds, json, threads) = (DTypeOption(), StepsOption(4), JsonOption(), ThreadsOption());
        var (peer, attention) = PeerOptions();
        var verb = new Command("decode", "Greedy generation with the mid model: a prompt of 512 tokens with an image, then 64 tokens.")
        {
            dtype, rounds, json, threads, peer, attention,
        };
        return Small(verb, rounds, json, threads, (parsed, count) => DecodeBench.Run(
            TypeOf(parsed.GetValue(dtype)), count, parsed.GetValue(peer), parsed.GetValue(attention)));
    }

    private static Command Images()
    {
        var (rounds, json, threads) = (StepsOption(5), JsonOption(), ThreadsOption());
        var files = new Argument<string[]>("FILES") { Arity = ArgumentArity.ZeroOrMore, Description = "Pictures; left out, a made-up one without decoding." };
        var verb = new Command("images", "From a picture's bytes to patches, on one thread: images a second.") { files, rounds, json, threads };
        return Small(verb, rounds, json, threads, (parsed, count) => SmallBenches.Images(parsed.GetValue(files) ?? [], count));
    }

    private static Command Tokens()
    {
        var (rounds, json, threads) = (StepsOption(5), JsonOption(), ThreadsOption());
        var folder = new Argument<string>("FOLDER") { Description = "A model folder, or a tokenizer.json." };
        var text = new Option<string?>("--text") { Description = "A UTF-8 file; left out, a made-up mixture of languages and code." };
        var verb = new Command("tokenizer", "Text to ids and back, on one thread: megabytes a second.") { folder, text, rounds, json, threads };
        return Small(verb, rounds, json, threads, (parsed, count) => SmallBenches.Tokens(parsed.GetValue(folder)!, parsed.GetValue(text), count));
    }

    private static Command Door()
    {
        var (rounds, json, threads) = (StepsOption(5), JsonOption(), ThreadsOption());
        var verb = new Command("door", "What one call into native code costs, in microseconds.") { rounds, json, threads };
        return Small(verb, rounds, json, threads, (_, count) => SmallBenches.Door(count));
    }

    private static Command Small(
        Command verb, Option<int> rounds, Option<string?> json, Option<int?> threads, Func<ParseResult, int, SmallResult> work)
    {
        verb.SetAction(parsed =>
        {
            var result = Measure(parsed.GetValue(threads), () => work(parsed, Math.Max(1, parsed.GetValue(rounds))));
            BenchOutput.Print(result);
            BenchOutput.Save(result, parsed.GetValue(json));
            return 0;
        });
        return verb;
    }

    private static T Measure<T>(int? threads, Func<T> work) => StepThread.Run(() =>
    {
        if (threads is { } count)
        {
            Torch.Threads = count;
        }

        return work();
    });

    private static Option<string> DTypeOption()
    {
        var option = new Option<string>("--dtype") { Description = "Element type of the computation: bf16 or fp32.", DefaultValueFactory = _ => "bf16" };
        option.AcceptOnlyFromAmong("bf16", "fp32");
        return option;
    }

    private static DType TypeOf(string? dtype) => dtype == "fp32" ? DType.F32 : DType.BF16;

    private static (Option<bool> Peer, Option<string?> Attention) PeerOptions()
    {
        var attention = new Option<string?>("--peer-attention") { Description = "eager or sdpa; left out, the faster one." };
        attention.AcceptOnlyFromAmong("eager", "sdpa");
        return (new Option<bool>("--peer") { Description = "The same job in PyTorch and Transformers too, in turns." }, attention);
    }

    private static Option<int> StepsOption(int count) => new("--steps")
    {
        Description = "Measured rounds, after the warm-up.",
        DefaultValueFactory = _ => count,
    };

    private static Option<string?> JsonOption() => new("--json") { Description = "Write the result to this file too." };

    private static Option<int?> ThreadsOption() => new("--threads") { Description = "Threads of one operator; left out, the CPUs that may be used." };
}
