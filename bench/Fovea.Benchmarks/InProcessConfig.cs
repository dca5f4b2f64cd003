using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using BenchmarkDotNet.Validators;
using Perfolizer.Horology;

namespace Fovea.Benchmarks;

/// <summary>
/// Runs benchmarks in this process: a child that BenchmarkDotNet builds itself would start on the system's dotnet host, which cannot load a libtorch that
/// brings its own C library.
/// </summary>
internal sealed class InProcessConfig : ManualConfig
{
    /// <param name="rounds">Measured iterations of each benchmark.</param>
    /// <param name="quiet">Only errors are told.</param>
    internal InProcessConfig(int rounds, bool quiet)
    {
        AddJob(Job.Default
            .WithToolchain(new InProcessNoEmitToolchain(TimeSpan.FromMinutes(10), logOutput: !quiet))
            .WithWarmupCount(2)
            .WithIterationCount(Math.Max(3, rounds))
            .WithIterationTime(TimeInterval.FromMilliseconds(300)));
        AddLogger(quiet ? NullLogger.Instance : ConsoleLogger.Default);
        AddColumnProvider(DefaultColumnProviders.Instance);
        AddValidator(JitOptimizationsValidator.FailOnError);
        ArtifactsPath = Path.Combine(Path.GetTempPath(), "fovea-benchmarks");
        if (!quiet)
        {
            AddExporter(MarkdownExporter.GitHub);
        }
    }
}
