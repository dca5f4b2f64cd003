using System.Text;
using Fovea.Hub;
using Fovea.Hub.Fetching;

namespace Fovea.Tests.Unit.Hub;

/// <summary>A stand-in hub, a cache and a model on it. No test here waits: pauses are counted.</summary>
public abstract class HubTest : IDisposable
{
    internal const string Id = "acme/tiny-vl";

    private protected HubTest()
    {
        Hub = new FakeHub();
        Cache = new TempFolder();
    }

    internal FakeHub Hub { get; }

    internal TempFolder Cache { get; }

    /// <summary>How long the client would have waited between tries.</summary>
    internal List<TimeSpan> Pauses { get; } = [];

    public void Dispose()
    {
        Cleanup();
        Hub.Dispose();
        Cache.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected virtual void Cleanup()
    {
    }

    /// <summary>Bytes that repeat nowhere.</summary>
    internal static byte[] Noise(int length, ulong seed = 1)
    {
        var bytes = new byte[length];
        new Random((int)seed).NextBytes(bytes);
        return bytes;
    }

    internal static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>A repository as models are published, with what nobody needs to train.</summary>
    internal static (string, byte[])[] Files(int weights = 300_000) =>
    [
        (".gitattributes", Text("*.safetensors filter=lfs\n")),
        ("README.md", Text("# Tiny\n")),
        ("config.json", Text("""{"model_type": "qwen2_vl", "auto_map": {"AutoModel": "modeling_tiny.TinyModel"}}""")),
        ("modeling_tiny.py", Text("raise SystemExit\n")),
        ("generation_config.json", Text("{}")),
        ("preprocessor_config.json", Text("{}")),
        ("tokenizer.json", Text("""{"version": "1.0"}""")),
        ("chat_template.jinja", Text("{{ messages }}")),
        ("additional_chat_templates/tools.jinja", Text("{{ tools }}")),
        ("merges.txt", Text("a b\n")),
        ("empty.txt", []),
        ("model.safetensors.index.json", Text("""
            {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
            """)),
        ("model-00001-of-00002.safetensors", Noise(weights, 1)),
        ("model-00002-of-00002.safetensors", Noise(weights / 2, 2)),
        ("consolidated.safetensors", Noise(1000, 3)),
        ("pytorch_model.bin", Noise(1000, 4)),
        ("pytorch_model.bin.index.json", Text("{}")),
        ("onnx/model.onnx", Noise(1000, 5)),
        ("training_args.bin", Noise(100, 6)),
        ("assets/picture.png", Noise(100, 7)),
    ];

    /// <summary>What of them is fetched.</summary>
    internal static readonly string[] Needed =
    [
        "additional_chat_templates/tools.jinja", "chat_template.jinja", "config.json", "generation_config.json", "merges.txt",
        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "modeling_tiny.py",
        "preprocessor_config.json", "tokenizer.json",
    ];

    internal HubClient Client(string? token = null, bool offline = false, int parallel = 4, long part = 64 << 10, int piece = 8 << 10,
        TimeSpan? patience = null, Func<string, long>? free = null, string? cache = null) => new(
            Hub.Settings(cache ?? Cache.Path, token) with { Offline = offline, Patience = patience ?? TimeSpan.FromSeconds(20) },
            new Connections(parallel, part, piece),
            (wait, _) =>
            {
                lock (Pauses)
                {
                    Pauses.Add(wait);
                }

                return Task.CompletedTask;
            },
            free);

    internal async Task<string> Fetch(FetchRequest? request = null, string? token = null, bool offline = false, CancellationToken cancel = default)
    {
        using var client = Client(token, offline);
        return await client.Fetch(request ?? new FetchRequest(RepoName.Parse(Id)), cancel);
    }

    internal static FetchRequest Whole(string id = Id, RepoKind kind = RepoKind.Model) => new(RepoName.Parse(id, kind)) { Files = FileChoice.Whole };

    /// <summary>Names of the files in a folder and below.</summary>
    internal static string[] Below(string folder) => [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
        .Select(path => Path.GetRelativePath(folder, path)).Order(StringComparer.Ordinal)];

    internal static async Task<HubException> Fails(Task<string> fetch) => await Assert.ThrowsAsync<HubException>(() => fetch);
}
