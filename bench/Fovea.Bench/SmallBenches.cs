using System.Diagnostics;
using System.Text.Json;

namespace Fovea.Bench;

/// <summary>
/// Benchmarks that need no model, measured by the BenchmarkDotNet program in <c>bench/Fovea.Benchmarks</c>, which <c>./fovea bench</c> builds.
/// </summary>
internal static class SmallBenches
{
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "..", "..", "Fovea.Benchmarks", "release", "Fovea.Benchmarks.dll");

    /// <summary>Images a second of one thread, from file bytes to patches; a made-up picture of 1024 x 768 without decoding when there are no files.</summary>
    public static SmallResult Images(IReadOnlyList<string> files, int rounds, int? threads) =>
        Run("images", rounds, threads, ("FOVEA_BENCH_IMAGES", string.Join(':', files.Select(Path.GetFullPath))));

    /// <summary>Megabytes of UTF-8 a second that one thread turns into ids, and back into text.</summary>
    /// <param name="folder">Holds tokenizer.json.</param>
    /// <param name="textFile">Null for a made-up mixture of English, German, Chinese, code and numbers.</param>
    public static SmallResult Tokens(string folder, string? textFile, int rounds, int? threads) =>
        Run("tokenizer", rounds, threads, ("FOVEA_BENCH_TOKENIZER", Path.GetFullPath(folder)), ("FOVEA_BENCH_TEXT", textFile ?? string.Empty));

    /// <param name="job">One that reads nothing: attention, head, door, packing or safetensors.</param>
    public static SmallResult Plain(string job, int rounds, int? threads) => Run(job, rounds, threads);

    private static SmallResult Run(string job, int rounds, int? threads, params ReadOnlySpan<(string Name, string Value)> inputs)
    {
        if (!File.Exists(Program))
        {
            throw new ConfigException($"{Path.GetFullPath(Program)} is missing; start this as './fovea bench {job}' in a checkout, which builds it");
        }

        string[] limit = threads is { } count ? [$"{count}"] : [];
        var start = new ProcessStartInfo(Environment.ProcessPath!, [Path.GetFullPath(Program), "figures", job, $"{rounds}", .. limit]);
        foreach (var (name, value) in inputs)
        {
            start.Environment[name] = value;
        }

        using var process = new PeerProcess(start);
        return new SmallResult(job, process.Read().Deserialize<Dictionary<string, double>>()!);
    }
}
