using System.Text.Json;
using BenchmarkDotNet.Running;
using Fovea.Tensors;

namespace Fovea.Benchmarks;

/// <summary>
/// <c>figures JOB ROUNDS [THREADS]</c> measures one job and prints a JSON line, which is what <c>fovea bench</c> asks for; anything else goes to
/// BenchmarkDotNet, for instance <c>--filter *Door*</c>.
/// </summary>
public static class Program
{
    public static int Main(string[] args)
    {
        if (args is not ["figures", var job, var rounds, .. var threads])
        {
            BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args, new InProcessConfig(rounds: 5, quiet: false));
            return 0;
        }

        if (threads is [var count])
        {
            Torch.Threads = int.Parse(count);
        }

        Console.WriteLine(JsonSerializer.Serialize(SmallJobs.Measure(job, int.Parse(rounds))));
        return 0;
    }
}
