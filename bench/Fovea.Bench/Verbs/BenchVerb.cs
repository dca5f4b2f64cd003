using System.CommandLine;
using Fovea.Cli.Verbs;
using Fovea.Tensors;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Bench.Verbs;

/// <summary><c>fovea bench JOB</c>: measures this machine and this build.</summary>
internal static class BenchVerb
{
    public static Command Create()
    {
        var verb = new Command(Cli.Verbs.BenchVerb.Name, Cli.Verbs.BenchVerb.Description);
        verb.Subcommands.Add(Mid());
        verb.Subcommands.Add(BigBenchVerb.Create());
        verb.Subcommands.Add(RankBenchVerb.Create());
        verb.Subcommands.Add(StagesBenchVerb.Create());
        verb.Subcommands.Add(SlicesBenchVerb.Create());
        verb.Subcommands.Add(HybridBenchVerb.Create());
        verb.Subcommands.Add(QloraBenchVerb.Create());
        verb.Subcommands.Add(DoraBenchVerb.Create());
        verb.Subcommands.Add(ServeBenchVerb.Create());
        verb.Subcommands.Add(Demo());
        verb.Subcommands.Add(Decode());
        verb.Subcommands.Add(Images());
        verb.Subcommands.Add(Tokens());
        verb.Subcommands.Add(ProductBenchVerb.Create());
        verb.Subcommands.Add(Mixer());
        verb.Subcommands.Add(Plain("door", "Cost of a call into native code, in microseconds."));
        verb.Subcommands.Add(Plain("attention", "Packed attention, forward and backward, at the shapes of vision towers and language models: GFLOP/s."));
        verb.Subcommands.Add(Plain("head", "Loss and its gradient before a frozen head, with logits in memory and in the caches: GFLOP/s."));
        verb.Subcommands.Add(Plain("packing", "Packing samples into micro-batches: tokens per second."));
        verb.Subcommands.Add(Plain("safetensors", "Opening a weight file: reads the header and maps the weights."));
        return verb;
    }

    private static Command Mid()
    {
        var dtype = DTypeOption();
        var steps = StepsOption(5);
        var json = ResultFile.Option();
        var threads = ThreadsOption();
        var recompute = new Option<bool>("--recompute") { Description = "Recompute blocks in the backward pass instead of keeping activations." };
        var selective = new Option<bool>("--selective") { Description = "Recompute only norms and the gate of the MLP." };
        var cached = new Option<bool>("--cached-vision") { Description = "Cached image features from the first step, as from the second epoch on." };
        var (peer, attention) = PeerOptions();
        var verb = new Command("mid", """
            Training steps of a Qwen2.5-VL of 230 M parameters: LoRA of rank 8, 4 samples of 512 tokens with one image and 256 label tokens each.

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
            var result = Measure(parsed.GetValue(threads), () => MidBench.Run(options, Console.Error.WriteLine), options.DType);
            BenchOutput.Print(result);
            ResultFile.Save(result, parsed.GetValue(json));
            return 0;
        });
        return verb;
    }

    private static Command Demo()
    {
        var config = new Argument<string?>("CONFIG")
        {
            Arity = ArgumentArity.ZeroOrOne,
            Description = "YAML or JSON file with LLaMA-Factory's keys; default: generated images and a small random model.",
        }.IsPath();
        var overrides = new Argument<string[]>("KEYS") { Arity = ArgumentArity.ZeroOrMore, Description = "key=value overrides for the file's keys." };
        var rounds = new Option<int>("--rounds") { Description = "Complete runs; with --peer, pairs of runs and one of ours.", DefaultValueFactory = _ => 1 };
        var (json, threads) = (ResultFile.Option(), ThreadsOption());
        var (peer, attention) = PeerOptions();
        var recompute = new Option<bool>("--peer-recompute") { Description = "Use gradient checkpointing in the peer, LLaMA-Factory's default; slower." };
        var once = new Option<string?>("--once")
        {
            Description = "One run in this process, into this folder; prints its figures as JSON.", Hidden = true,
        }.IsPath();
        var verb = new Command("demo", """
            A complete LoRA fine-tune from a configuration: samples per second without start-up, memory, and time spent waiting for data.

              fovea bench demo
              fovea bench demo config.yaml loss_reduction=mean --peer --json demo.json
            """)
        {
            config, overrides, rounds, json, threads, peer, attention, recompute, once,
        };
        verb.SetAction(parsed =>
        {
            // Without a file, the first pair stands where the file's name would.
            var path = parsed.GetValue(config);
            string[] keys = parsed.GetValue(overrides) ?? [];
            if (path?.Contains('=') == true && !File.Exists(path))
            {
                keys = [path, .. keys];
                path = null;
            }

            SetThreads(parsed.GetValue(threads));
            if (parsed.GetValue(once) is { } folder)
            {
                Console.WriteLine(BenchOutput.ToLine(DemoOnce.Run(DemoOnce.Prepare(TrainConfig.Load(path!, keys), folder))));
                return 0;
            }

            var options = new DemoBenchOptions
            {
                Config = path,
                Overrides = keys,
                Rounds = Math.Max(1, parsed.GetValue(rounds)),
                Peer = parsed.GetValue(peer),
                PeerAttention = parsed.GetValue(attention),
                PeerRecompute = parsed.GetValue(recompute),
            };
            var result = DemoBench.Run(options, Console.Error.WriteLine);
            BenchOutput.Print(result);
            ResultFile.Save(result, parsed.GetValue(json));
            return 0;
        });
        return verb;
    }

    private static Command Decode()
    {
        var (dtype, rounds, json, threads) = (DTypeOption(), StepsOption(4), ResultFile.Option(), ThreadsOption());
        var (peer, attention) = PeerOptions();
        var batch = new Option<int[]>("--batch")
        {
            Description = "How many prompts at once; may be repeated.", DefaultValueFactory = _ => [1],
        };
        var verb = new Command("decode", "Greedy decoding with the mid model: prompts of 512 tokens with an image each, then 64 tokens.")
        {
            dtype, rounds, batch, json, threads, peer, attention,
        };
        return Small(verb, json, parsed => Measure(parsed.GetValue(threads), () => DecodeBench.Run(
            TypeOf(parsed.GetValue(dtype)), Rounds(parsed, rounds), parsed.GetValue(batch)!, parsed.GetValue(peer), parsed.GetValue(attention)),
            TypeOf(parsed.GetValue(dtype))));
    }

    private static Command Images()
    {
        var (rounds, json, threads) = (StepsOption(5), ResultFile.Option(), ThreadsOption());
        var files = new Argument<string[]>("FILES")
        {
            Arity = ArgumentArity.ZeroOrMore, Description = "Image files; default: a generated image, without decoding.",
        }.IsPath();
        var verb = new Command("images", "From an image file's bytes to patches, on one thread: images per second.") { files, rounds, json, threads };
        return Small(
            verb, json, parsed => SmallBenches.Images(parsed.GetValue(files) ?? [], Rounds(parsed, rounds), parsed.GetValue(threads)));
    }

    private static Command Tokens()
    {
        var (rounds, json, threads) = (StepsOption(5), ResultFile.Option(), ThreadsOption());
        var folder = new Argument<string>("FOLDER") { Description = "Model folder, or a tokenizer.json." }.IsPath();
        var text = new Option<string?>("--text") { Description = "UTF-8 file; default: a generated mixture of languages and code." }.IsPath();
        var verb = new Command("tokenizer", "Text to token ids and back, on one thread: megabytes per second.") { folder, text, rounds, json, threads };
        return Small(verb, json, parsed => SmallBenches.Tokens(
            parsed.GetValue(folder)!, parsed.GetValue(text), Rounds(parsed, rounds), parsed.GetValue(threads)));
    }

    private static Command Mixer()
    {
        var (dtype, rounds, json, threads) = (DTypeOption(), StepsOption(5), ResultFile.Option(), ThreadsOption());
        var peer = PeerOptions().Peer;
        var device = new Option<string>("--device") { Description = $"Device: {Devices.Names}.", DefaultValueFactory = _ => "cpu" };
        var verb = new Command("mixer", "A Gated DeltaNet mixer of width 1024 over 2,048 tokens, forward and backward, and its delta rule alone.")
        {
            dtype, device, rounds, json, threads, peer,
        };
        return Small(verb, json, parsed => Measure(
            parsed.GetValue(threads), () => MixerBench.Run(
                TypeOf(parsed.GetValue(dtype)), Devices.Choose(parsed.GetValue(device)!), Rounds(parsed, rounds), parsed.GetValue(peer)),
            TypeOf(parsed.GetValue(dtype))));
    }

    private static Command Plain(string job, string description)
    {
        var (rounds, json, threads) = (StepsOption(5), ResultFile.Option(), ThreadsOption());
        var verb = new Command(job, description) { rounds, json, threads };
        return Small(verb, json, parsed => SmallBenches.Plain(job, Rounds(parsed, rounds), parsed.GetValue(threads)));
    }

    internal static Command Small(Command verb, Option<string?> json, Func<ParseResult, SmallResult> work)
    {
        verb.SetAction(parsed =>
        {
            var result = work(parsed);
            BenchOutput.Print(result);
            ResultFile.Save(result, parsed.GetValue(json));
            return 0;
        });
        return verb;
    }

    internal static int Rounds(ParseResult parsed, Option<int> rounds) => Math.Max(1, parsed.GetValue(rounds));

    /// <param name="types">Element types whose products the work does not choose by itself.</param>
    internal static T Measure<T>(int? threads, Func<T> work, params DType[] types) => StepThread.Run(() =>
    {
        SetThreads(threads);
        var products = ProductPolicy.ForMachine(CacheFolder.Path, types);
        products.Choice.Use();
        foreach (var reason in products.Reasons)
        {
            Console.Error.WriteLine(reason);
        }

        return work();
    });

    private static void SetThreads(int? threads)
    {
        if (threads is { } count)
        {
            Torch.Threads = count;
        }
    }

    internal static Option<string> DTypeOption()
    {
        var option = new Option<string>("--dtype") { Description = "Element type of the computation: bf16 or fp32.", DefaultValueFactory = _ => "bf16" };
        option.AcceptOnlyFromAmong("bf16", "fp32");
        return option;
    }

    internal static DType TypeOf(string? dtype) => dtype == "fp32" ? DType.F32 : DType.BF16;

    internal static (Option<bool> Peer, Option<string?> Attention) PeerOptions()
    {
        var attention = new Option<string?>("--peer-attention") { Description = "The peer's attention: eager or sdpa; default: the faster one." };
        attention.AcceptOnlyFromAmong("eager", "sdpa");
        return (new Option<bool>("--peer") { Description = "Also run the same job in PyTorch and Transformers, interleaved." }, attention);
    }

    internal static Option<int> StepsOption(int count) => new("--steps")
    {
        Description = "Number of measured rounds, after the warm-up.",
        DefaultValueFactory = _ => count,
    };

    internal static Option<int?> ThreadsOption() => new("--threads") { Description = "Threads per operator; default: all CPUs that may be used." };
}
