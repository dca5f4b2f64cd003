using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace Fovea.Benchmarks;

/// <summary>The jobs of <c>fovea bench</c> that need no model, as figures whose names end in their unit.</summary>
internal static class SmallJobs
{
    /// <param name="job">attention, head, door, images, tokenizer, packing or safetensors.</param>
    internal static Dictionary<string, double> Measure(string job, int rounds) => job switch
    {
        "attention" => Attention(Run<AttentionBenchmarks>(rounds)),
        "head" => Head(Run<HeadBenchmarks>(rounds)),
        "door" => Door(Run<DoorBenchmarks>(rounds)),
        "images" => Images(Run<ImageBenchmarks>(rounds)),
        "tokenizer" => Tokenizer(Run<TokenizerBenchmarks>(rounds)),
        "packing" => Packing(Run<PackingBenchmarks>(rounds)),
        "safetensors" => Safetensors(Run<SafetensorsBenchmarks>(rounds)),
        _ => throw new ArgumentException($"no job '{job}'", nameof(job)),
    };

    private static Dictionary<string, double> Attention(IReadOnlyDictionary<string, double> seconds) =>
        AttentionBenchmarks.Jobs.ToDictionary(job => $"{job.Name}_gflop_per_second", job => job.Operations / 1e9 / seconds[job.Method]);

    private static Dictionary<string, double> Head(IReadOnlyDictionary<string, double> seconds) =>
        HeadBenchmarks.Jobs.ToDictionary(job => $"{job.Name}_gflop_per_second", job => job.Operations / 1e9 / seconds[job.Key]);

    private static Dictionary<string, double> Door(IReadOnlyDictionary<string, double> seconds) => new()
    {
        ["detach_microseconds"] = seconds[nameof(DoorBenchmarks.Detach)] * 1e6,
        ["multiply_microseconds"] = seconds[nameof(DoorBenchmarks.Multiply)] * 1e6,
    };

    private static Dictionary<string, double> Images(IReadOnlyDictionary<string, double> seconds)
    {
        var process = seconds[nameof(ImageBenchmarks.Process)];
        var figures = new Dictionary<string, double> { ["process_images_per_second"] = 1 / process };
        if (BenchInputs.Images.Count > 0)
        {
            var decode = seconds[nameof(ImageBenchmarks.Decode)];
            figures["decode_images_per_second"] = 1 / decode;
            figures["pipeline_images_per_second"] = 1 / (decode + process);
        }

        return figures;
    }

    private static Dictionary<string, double> Tokenizer(IReadOnlyDictionary<string, double> seconds)
    {
        var (bytes, tokens) = TokenizerBenchmarks.Size();
        return new()
        {
            ["encode_megabytes_per_second"] = bytes / 1e6 / seconds[nameof(TokenizerBenchmarks.Encode)],
            ["decode_megabytes_per_second"] = bytes / 1e6 / seconds[nameof(TokenizerBenchmarks.Decode)],
            ["bytes_per_token"] = (double)bytes / tokens,
        };
    }

    private static Dictionary<string, double> Packing(IReadOnlyDictionary<string, double> seconds) => new()
    {
        ["packed_megatokens_per_second"] = PackingBenchmarks.Tokens / 1e6 / seconds[nameof(PackingBenchmarks.Plan)],
        ["step_microseconds"] = seconds[nameof(PackingBenchmarks.Plan)] * 1e6,
    };

    private static Dictionary<string, double> Safetensors(IReadOnlyDictionary<string, double> seconds) => new()
    {
        ["open_milliseconds"] = seconds[nameof(SafetensorsBenchmarks.Open)] * 1e3,
        ["tensor_microseconds"] = seconds[nameof(SafetensorsBenchmarks.Open)] / SafetensorsBenchmarks.Tensors * 1e6,
    };

    /// <summary>Median seconds of one operation, by the benchmark's name and, behind a space, its parameter.</summary>
    private static Dictionary<string, double> Run<T>(int rounds)
    {
        var summary = BenchmarkRunner.Run<T>(new InProcessConfig(rounds, quiet: true));
        return summary.HasCriticalValidationErrors || summary.Reports.Length == 0 || summary.Reports.Any(report => report.ResultStatistics is null)
            ? throw new InvalidOperationException(Explain(summary))
            : summary.Reports.ToDictionary(report => Name(report.BenchmarkCase), report => report.ResultStatistics!.Median / 1e9);
    }

    private static string Name(BenchmarkCase benchmark) =>
        string.Join(' ', [benchmark.Descriptor.WorkloadMethod.Name, .. benchmark.Parameters.Items.Select(item => item.Value)]);

    private static string Explain(Summary summary) => string.Join(
        '\n',
        [
            $"{summary.Title} has no figures; './fovea env' and BenchmarkDotNet itself say more (bench/README.md)",
            .. summary.ValidationErrors.Select(error => error.Message),
            .. summary.Reports.SelectMany(report => report.ExecuteResults).SelectMany(result => result.Errors),
        ]);
}
