using System.CommandLine;
using Fovea.AspNetCore;
using Fovea.Cli.Views;
using Fovea.Loading;
using Fovea.Models.Peft;
using Fovea.Training.Config;
using Fovea.Training.Session;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea serve</c>: a model and its adapters with OpenAI's HTTP interface.</summary>
internal static class ServeVerb
{
    internal const string KeyVariable = "FOVEA_API_KEY";

    private static readonly Option<string?> Model = new Option<string?>("--model")
    {
        Description = "Model folder; default: the base model of the first adapter.",
    }.IsPath();

    private static readonly Option<string[]> Adapter = new Option<string[]>("--adapter")
    {
        Description = "NAME=FOLDER of a PEFT adapter, or FOLDER, whose own name it gets. May be repeated.",
    }.IsPath();

    private static readonly Option<string?> Name = new("--name") { Description = "The model's name for clients; default: that of its folder." };
    private static readonly Option<string> Host = new("--host") { Description = "Address to listen on.", DefaultValueFactory = _ => "127.0.0.1" };
    private static readonly Option<int> Port = new("--port") { Description = "Port to listen on; 0 takes a free one.", DefaultValueFactory = _ => 8000 };
    private static readonly Option<string[]> ApiKey = new("--api-key")
    {
        Description = $"A key that requests may carry; may be repeated. Also {KeyVariable}, several with commas.",
    };

    private static readonly Option<bool> AllowUrls = new("--allow-urls") { Description = "Fetch images from public http and https addresses." };
    private static readonly Option<string?> MediaRoot = new Option<string?>("--media-root")
    {
        Description = "Folder below which images may be file: URLs.",
    }.IsPath();

    private static readonly Option<string[]> Cors = new("--cors") { Description = "Origin of web pages that may ask, or *. May be repeated." };
    private static readonly Option<string?> Template = new("--template") { Description = "Chat template; default: the model family's own." };
    private static readonly Option<InferDtype?> Dtype = ModelChoice.Dtype();
    private static readonly Option<bool> Cpu = new("--cpu") { Description = "Use the CPU even if a GPU is found." };
    private static readonly Option<int> MaxRunning = Limit("--max-running", "Most answers at once.", 64);
    private static readonly Option<int> MaxQueued = Limit("--max-queued", "Most answers that wait; more are refused (429).", 256);
    private static readonly Option<int?> MaxTokens = new("--max-tokens") { Description = "Most tokens of a prompt and its answer; default: the model's." };
    private static readonly Option<int?> MaxNewTokens = new("--max-new-tokens") { Description = "Most tokens of an answer that a request may ask for." };
    private static readonly Option<int> MaxImages = Limit("--max-images", "Most images of a request.", 16);
    private static readonly Option<int> MaxPixels = Limit("--max-pixels", "Most pixels of an image as it is stored.", 50_000_000);
    private static readonly Option<int> MaxBody = Limit("--max-body", "Most MiB of a request.", 32);
    private static readonly Option<int?> Cache = new("--cache") { Description = "MiB for keys and values; default: a quarter of the memory that is there." };
    private static readonly Option<int> Time = Limit("--timeout", "Most seconds of a request.", 600);
    private static readonly Option<int> Drain = Limit("--drain", "Seconds that answers may go on after SIGTERM or Ctrl-C.", 30);
    private static readonly Option<bool> Verbose = new("--verbose") { Description = "Log each request, without its content." };

    public static Command Create()
    {
        var verb = new Command("serve", """
            Serve a model and its adapters over HTTP as OpenAI's API does: chat with images, streaming, JSON schemas, log probabilities.

            Examples:
              fovea serve --model models/Qwen2.5-VL-3B-Instruct
              fovea serve --model models/Qwen2.5-VL-3B-Instruct --adapter receipts=saves/a --adapter invoices=saves/b
              FOVEA_API_KEY=secret fovea serve --model models/Qwen2.5-VL-3B-Instruct --host 0.0.0.0

            Ask it (the model is the folder's or an adapter's name):
              curl http://127.0.0.1:8000/v1/chat/completions -H 'Content-Type: application/json' -d '{
                "model": "receipts", "stream": true, "messages": [{"role": "user", "content": [
                  {"type": "text", "text": "What is the total?"},
                  {"type": "image_url", "image_url": {"url": "data:image/png;base64,'$(base64 -w0 receipt.png)'"}}]}]}'
              curl http://127.0.0.1:8000/v1/models
              curl http://127.0.0.1:8000/metrics
            """)
        {
            Model, Adapter, Name, Host, Port, ApiKey, AllowUrls, MediaRoot, Cors, Template, Dtype, Cpu, MaxRunning, MaxQueued, MaxTokens, MaxNewTokens,
            MaxImages, MaxPixels, MaxBody, Cache, Time, Drain, Verbose,
        };
        verb.SetAction(parsed => Run(parsed).GetAwaiter().GetResult()); // an asynchronous action would be ended two seconds after SIGTERM
        return verb;
    }

    private static Option<int> Limit(string name, string description, int standard) =>
        new(name) { Description = description, DefaultValueFactory = _ => standard };

    private static async Task<int> Run(ParseResult parsed)
    {
        var level = parsed.GetValue(Verbose) ? LogLevel.Information : LogLevel.Warning;
        await using var app = FoveaHost.Build(
            Options(parsed), parsed.GetValue(Host)!, parsed.GetValue(Port), parsed.GetValue(Cors) ?? [],
            logging => logging.SetMinimumLevel(level).AddFilter("Microsoft", LogLevel.Warning)
                .AddFilter(nameof(Fovea) + ".AspNetCore.LoadedServer", LogLevel.None).AddProvider(new ErrorLog(Console.Error)));
        await app.StartAsync();
        var url = app.Urls.First();
        Console.Out.WriteLine($"listening on {url}");
        try
        {
            var server = await app.Services.GetRequiredService<LoadedServer>().Loading;
            Console.Out.WriteLine($"ready: {string.Join(", ", server.Adapters.Prepend(server.Name))} at {url}/v1");
        }
        catch (OperationCanceledException)
        {
            // Ended before it was loaded.
        }
        catch
        {
            await app.StopAsync();
            throw;
        }

        await app.WaitForShutdownAsync();
        return 0;
    }

    private static FoveaOptions Options(ParseResult parsed)
    {
        var adapters = Adapters(parsed.GetValue(Adapter) ?? []);
        var names = new HubNames(new HubSection(), progress: FetchProgress.On(Console.Error));
        var folder = parsed.GetValue(Model) ?? (adapters.Count > 0 ? PeftAdapter.ResolveBase(names.Adapter(adapters.Values.First()), name => names.Model(name))
            : throw new ConfigException("no model is named: give --model FOLDER or --adapter NAME=FOLDER (fovea serve --help shows examples)"));
        return new FoveaOptions
        {
            Folder = folder,
            Model = new()
            {
                NamedAdapters = adapters,
                Device = parsed.GetValue(Cpu) ? "cpu" : "auto",
                Template = parsed.GetValue(Template),
                Precision = InferPrecision.Of(parsed.GetValue(Dtype)),
                Notices = Console.Error.WriteLine,
            },
            Limits = new()
            {
                Name = parsed.GetValue(Name),
                MaxRunning = parsed.GetValue(MaxRunning),
                MaxQueued = parsed.GetValue(MaxQueued),
                MaxTokens = parsed.GetValue(MaxTokens),
                MaxNewTokens = parsed.GetValue(MaxNewTokens),
                MaxImages = parsed.GetValue(MaxImages),
                MaxImagePixels = parsed.GetValue(MaxPixels),
                CacheBytes = (long?)parsed.GetValue(Cache) << 20,
            },
            ApiKeys =
            [
                .. parsed.GetValue(ApiKey) ?? [],
                .. (Environment.GetEnvironmentVariable(KeyVariable) ?? string.Empty).Split(',', StringSplitOptions.RemoveEmptyEntries),
            ],
            AllowUrls = parsed.GetValue(AllowUrls),
            MediaRoot = parsed.GetValue(MediaRoot),
            MaxBodyBytes = (long)parsed.GetValue(MaxBody) << 20,
            MaxBodiesBytes = 16L * parsed.GetValue(MaxBody) << 20,
            Timeout = TimeSpan.FromSeconds(parsed.GetValue(Time)),
            DrainTime = TimeSpan.FromSeconds(parsed.GetValue(Drain)),
        };
    }

    private static Dictionary<string, string> Adapters(IReadOnlyList<string> words)
    {
        var adapters = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var word in words)
        {
            var sign = word.IndexOf('=', StringComparison.Ordinal);
            var folder = UserPath.Expand(word[(sign + 1)..]);
            var name = sign > 0 ? word[..sign] : Path.GetFileName(Path.TrimEndingDirectorySeparator(folder));
            if (name.Length == 0 || !adapters.TryAdd(name, folder))
            {
                throw new ConfigException($"--adapter {word}: each adapter needs a name of its own: --adapter NAME=FOLDER");
            }
        }

        return adapters;
    }
}
