using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Fovea.Tests.Unit.Tensors;

/// <summary>CUDA's kernels run on the CPU (eng/cuda-emulation.sh), so that none can rot while no GPU is there.</summary>
public sealed partial class CudaEmulationTests
{
    [Fact]
    public async Task Cuda_kernels_equal_their_formulas_on_the_cpu_and_faults_in_them_are_noticed()
    {
        var start = new ProcessStartInfo("/bin/bash", [Path.Combine(TestFiles.Root, "eng/cuda-emulation.sh"), "--quick"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{output}\n{await errors}");
        var sum = Sum().Match(output);
        Assert.True(sum.Success, output);
        Assert.True(int.Parse(sum.Groups["checks"].Value) >= 5000, sum.Value);
        Assert.Contains("2 of 2 faults noticed", output, StringComparison.Ordinal);

        // Each kernel in each element type.
        foreach (var (kernel, type) in Kernels.SelectMany(kernel => new[] { "fp32", "bf16", "fp16" }, (kernel, type) => (kernel, type)))
        {
            Assert.Matches($@"(?m)^{kernel}\b.* {type} +[1-9][0-9]* +0 ", output);
        }

        Assert.All(["g", "beta", "gradient of a", "gradient of rate"], part => Assert.Matches($@"(?m)^delta_gates {part} +fp32 +[1-9][0-9]* +0 ", output));
    }

    [Fact]
    public void Every_launch_is_checked()
    {
        string Read(string path) => File.ReadAllText(Path.Combine(TestFiles.Root, path));
        var launches = Launch().Matches(Read("native/kernels/cuda/launch.h")).Select(match => match.Groups["name"].Value).ToList();
        Assert.True(launches.Count >= 16, string.Join(", ", launches));
        var checks = string.Concat(Directory.GetFiles(Path.Combine(TestFiles.Root, "tests/cuda-emulation"), "*.cpp").Select(File.ReadAllText));
        Assert.All(launches, name => Assert.Contains($"fovea::cuda::{name}(", checks, StringComparison.Ordinal));
    }

    private static string[] Kernels =>
    [
        "rms_norm forward", "rms_norm backward", "cross_entropy losses", "cross_entropy gradient", "silu_mul forward", "silu_mul gradient of gate",
        "rotary forward", "rotary inverse", "dropout", "dropout onto a sum", "sigmoid_mul forward", "sigmoid_mul gradient of gate",
        "convolution forward", "convolution last rows", "convolution gradient of x", "convolution gradient of weight", "delta_rule forward",
        "delta_rule states", "delta_rule gradient of q", "delta_rule gradient of k", "delta_rule gradient of v", "delta_rule gradient of g",
        "delta_rule gradient of beta", "delta_rule gradient of states", "delta_steps", "four_bit unpacked", "four_bit few rows",
    ];

    [GeneratedRegex(@"^(?<checks>\d+) checks, 0 failures, \d+ launches, \d+ blocks$", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Sum();

    [GeneratedRegex(@"^void (?<name>\w+)\(", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Launch();
}
