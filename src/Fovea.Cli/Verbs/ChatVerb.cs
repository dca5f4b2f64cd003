using System.CommandLine;
using System.Text;
using Fovea.Launch;
using Fovea.Distributed;
using Fovea.Training.Config;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea chat</c>: talks with a model about images, in the terminal or with one question from the command line.</summary>
internal static class ChatVerb
{
    private static readonly Argument<string[]> Config = new Argument<string[]>("CONFIG")
    {
        Description = "A YAML or JSON file for LLaMA-Factory's chat, or that of a training run; then key=value overrides.",
        Arity = ArgumentArity.ZeroOrMore,
    }.IsPath();

    private static readonly Option<string?> Model = new Option<string?>("--model")
    {
        Description = "Model folder. Without CONFIG, sampling settings are read from its generation_config.json.",
    }.IsPath();

    private static readonly Option<string[]> Adapter = new Option<string[]>("--adapter")
    {
        Description = "Adapter folder (PEFT); its base model is used unless --model is given. May be repeated.",
    }.IsPath();

    private static readonly Option<string?> Template = new("--template") { Description = "Chat template; default: the model family's own." };
    private static readonly Option<InferDtype?> Dtype = ModelChoice.Dtype();
    private static readonly Option<string?> Question = new("--prompt")
    {
        Description = "Answer this single prompt and exit; only the answer goes to standard output.",
    };

    private static readonly Option<string[]> Image = new Option<string[]>("--image")
    {
        Description = "Images for the (first) prompt, at its <image> markers or before the text.",
        AllowMultipleArgumentsPerToken = true,
    }.IsPath();

    private static readonly Option<string?> SystemPrompt = new("--system") { Description = "System prompt." };
    private static readonly Option<int?> MaxNewTokens = new("--max-new-tokens") { Description = "Maximum answer length in tokens." };
    private static readonly Option<double?> Temperature = new("--temperature") { Description = "Sample at this temperature; 0 is greedy." };
    private static readonly Option<double?> TopP = new("--top-p") { Description = "Sample from the most likely tokens up to this cumulative probability." };
    private static readonly Option<int?> TopK = new("--top-k") { Description = "Sample from this many most likely tokens; 0 is all." };
    private static readonly Option<double?> Penalty = new("--repetition-penalty") { Description = "Values above 1 make repetitions less likely." };
    private static readonly Option<ulong?> Seed = new("--seed") { Description = "Random seed, for reproducible sampling." };
    private static readonly Option<bool> Greedy = new("--greedy") { Description = "Greedy decoding: always the most likely token." };
    private static readonly Option<bool> Cpu = new("--cpu") { Description = "Use the CPU even if a GPU is found." };

    public static Command Create()
    {
        var verb = new Command("chat", """
            Chat with a model about images and text, interactively or from standard input, one prompt per line.

            Examples:
              fovea chat examples/qwen2_5vl_lora_sft.yaml
              fovea chat --adapter saves/my-run
              fovea chat --model models/Qwen2.5-VL-7B-Instruct --prompt "What is this?" --image photo.jpg --greedy
              echo "What does receipt.png say?" | fovea chat --model models/Qwen2.5-VL-3B-Instruct

            zero: 3 shards a model that is too large for one GPU over several (Ctrl-C then ends all ranks):
              NPROC_PER_NODE=2 fovea chat run.yaml zero=3

            In the terminal: /image PATH, /system TEXT, /clear, /help, /exit. An image path in a question shows that image.
            """)
        {
            Config, Model, Adapter, Template, Dtype, Question, Image, SystemPrompt, MaxNewTokens, Temperature, TopP, TopK, Penalty, Seed, Greedy, Cpu,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult parsed)
    {
        var words = parsed.GetValue(Config) ?? [];
        return RankedRun.Run(
            use => Read(parsed, words, use), talks: true,
            (config, mesh) => Talk(parsed, config, mesh, fromModel: words.Length == 0).GetAwaiter().GetResult());
    }

    private static async Task<int> Talk(ParseResult parsed, TrainConfig config, Mesh mesh, bool fromModel)
    {
        var notes = mesh.IsMain ? Console.Error : TextWriter.Null;
        var together = mesh.WorldSize > 1;
        (config, var source) = ModelChoice.Complete(config, notes, mesh);
        await using var model = await VisionModel.LoadAsync(config, source, fromModel, notes.WriteLine, mesh, CancellationToken.None);
        var options = WithFlags(parsed, model.Generation);
        options.Check();
        model.Loaded.Engine.Agree = together ? id => (int)mesh.Sum("the choice of a token", mesh.IsMain ? id : 0)[0] : null;
        using var interrupts = together ? null : new ChatInterrupts();
        using var output = new StreamWriter(mesh.IsMain ? Console.OpenStandardOutput() : Stream.Null, new UTF8Encoding(false));
        var console = new ChatConsole(model.NewChat(parsed.GetValue(SystemPrompt)), options, output, notes, interrupts);
        foreach (var path in parsed.GetValue(Image) ?? [])
        {
            console.Attach(path);
        }

        if (parsed.GetValue(Question) is { } question)
        {
            console.Ask(question);
            return 0;
        }

        var interactive = mesh.IsMain && !Console.IsInputRedirected;
        using var input = interactive ? Console.In : TextFile.Open(Console.OpenStandardInput(), "standard input");
        using var lines = together ? new SharedReader(input, mesh) : input;
        var code = console.Run(lines, interactive);
        return mesh.IsMain ? code : 0;
    }

    /// <summary>The configuration that the command line asks for, not yet completed from folders.</summary>
    internal static TrainConfig Read(ParseResult parsed, string[] words, ConfigUse use)
    {
        if (words.Length > 0 && words[0].Contains('=') && !File.Exists(words[0]))
        {
            throw new ConfigException($"{words[0]}: key=value replaces a key of a configuration file, and none is given; use options such as --temperature");
        }

        var config = words.Length == 0 ? new TrainConfig() : TrainConfig.Load(words[0], words[1..], use);
        var adapters = parsed.GetValue(Adapter) ?? [];

        // A model that is named stands before the one that the run wrote; an adapter that it wrote may well go onto another copy of its base.
        // So does an adapter that is named on the command line.
        var named = adapters.Length > 0 || ModelChoice.NamesAdapter(words)
            || (parsed.GetValue(Model) is not null && config.Tuning.FinetuningType != FinetuningType.Lora);
        return config with
        {
            Model = config.Model with
            {
                ModelNameOrPath = parsed.GetValue(Model) ?? config.Model.ModelNameOrPath,
                AdapterNameOrPath = adapters.Length > 0 ? adapters : config.Model.AdapterNameOrPath,
                InferDtype = parsed.GetValue(Dtype) ?? config.Model.InferDtype,
                UseCpu = config.Model.UseCpu || parsed.GetValue(Cpu),
            },
            Data = config.Data with { Template = parsed.GetValue(Template) ?? config.Data.Template },
            Run = config.Run with { OutputDir = named ? string.Empty : config.Run.OutputDir },
        };
    }

    private static GenerationOptions WithFlags(ParseResult parsed, GenerationOptions options)
    {
        var (temperature, topP, topK) = (parsed.GetValue(Temperature), parsed.GetValue(TopP), parsed.GetValue(TopK));
        var greedy = parsed.GetValue(Greedy) || temperature == 0;
        return options with
        {
            MaxNewTokens = parsed.GetValue(MaxNewTokens) ?? options.MaxNewTokens,
            DoSample = !greedy && (options.DoSample || temperature is not null || topP is not null || topK is not null),
            Temperature = temperature is null or 0 ? options.Temperature : temperature.Value,
            TopP = topP ?? options.TopP,
            TopK = topK ?? options.TopK,
            RepetitionPenalty = parsed.GetValue(Penalty) ?? options.RepetitionPenalty,
            Seed = parsed.GetValue(Seed) ?? options.Seed,
        };
    }
}
