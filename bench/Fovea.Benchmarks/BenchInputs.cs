namespace Fovea.Benchmarks;

/// <summary>What the benchmarks read, from variables of the environment, because BenchmarkDotNet makes the benchmarks itself.</summary>
internal static class BenchInputs
{
    /// <summary><c>FOVEA_BENCH_IMAGES</c>: files, with ':' between them. Empty: a made-up picture without decoding.</summary>
    internal static IReadOnlyList<string> Images => Read("FOVEA_BENCH_IMAGES")?.Split(':') ?? [];

    /// <summary><c>FOVEA_BENCH_TOKENIZER</c>: a folder with <c>tokenizer.json</c>. Empty: the small one among the tests' goldens.</summary>
    internal static string Tokenizer => Read("FOVEA_BENCH_TOKENIZER") ?? Golden();

    /// <summary><c>FOVEA_BENCH_TEXT</c>: a UTF-8 file. Empty: a made-up mixture of English, German, Chinese, code and numbers.</summary>
    internal static string? TextFile => Read("FOVEA_BENCH_TEXT");

    private static string? Read(string variable) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;

    private static string Golden()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var golden = Path.Combine(folder.FullName, "tests", "goldens", "qwen2_5_vl_tiny", "model");
            if (Directory.Exists(golden))
            {
                return golden;
            }
        }

        throw new DirectoryNotFoundException("FOVEA_BENCH_TOKENIZER is not set, and there is no tests/goldens above the program");
    }
}
