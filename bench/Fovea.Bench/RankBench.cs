using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Saving;
using Fovea.Tensors;
using Fovea.Testing;

namespace Fovea.Bench;

/// <summary>Data parallel and each stage of ZeRO over several processes of this machine, one thread each: time, bytes sent, memory.</summary>
internal static class RankBench
{
    /// <param name="say">Sees one line a setting.</param>
    public static IReadOnlyList<RankResult> Run(
        IReadOnlyList<int> ranks, IReadOnlyList<int> stages, bool full, int steps, bool fp32, int? tokens, Action<string> say)
    {
        var folder = Directory.CreateTempSubdirectory("fovea-ranks-").FullName;
        try
        {
            WriteModel(folder);
            List<RankResult> results = [];
            foreach (var stage in stages)
            {
                foreach (var count in ranks)
                {
                    var result = Measure(new RankOptions(count, stage, full, steps, fp32, tokens, folder));
                    say(string.Create(
                        CultureInfo.InvariantCulture, $"zero {stage}, {count} ranks: {result.StepSecondsMedian:0.00} s, peak {result.PeakMebibytes:0} MiB"));
                    results.Add(result);
                }
            }

            return results;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Puts the mid model into a folder, in bf16.</summary>
    public static void WriteModel(string folder)
    {
        using var scope = TensorScope.Open("step");
        using var model = MidModel.Build(new ModelOptions { Compute = DType.BF16 }, folder);
        SafetensorsWriter.Write(
            Path.Combine(folder, "model.safetensors"), [.. model.Ledger.Parameters.Select(p => TensorBytes.Source(p.Name, p, DType.BF16))]);
    }

    /// <summary>Starts the ranks of one setting and waits for them.</summary>
    public static RankResult Measure(RankOptions options)
    {
        var port = FreePort();
        var processes = Enumerable.Range(0, options.Ranks).Select(rank => Start(options, rank, port)).ToList();
        try
        {
            var outputs = processes.Select(process => process.StandardOutput.ReadToEndAsync()).ToList();
            processes.ForEach(process => process.WaitForExit());
            if (processes.Any(process => process.ExitCode != 0))
            {
                throw new Fovea.Training.TrainingException(
                    $"a rank of zero {options.Zero} with {options.Ranks} ranks ended with code {processes.Max(p => p.ExitCode)}");
            }

            return BenchOutput.FromJson<RankResult>(JsonNode.Parse(outputs[0].Result.Trim().Split('\n')[^1])!);
        }
        finally
        {
            foreach (var process in processes)
            {
                if (!process.HasExited)
                {
                    process.Kill();
                }

                process.Dispose();
            }
        }
    }

    private static Process Start(RankOptions options, int rank, int port)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!)
        {
            ArgumentList =
            {
                Program.Path, "bench", "ranks", "--once", BenchOutput.ToLine(options),
            },
            RedirectStandardOutput = true,
        };
        if (!Path.GetFileNameWithoutExtension(Environment.ProcessPath!).Equals("dotnet", StringComparison.Ordinal))
        {
            start.ArgumentList.RemoveAt(0);
        }

        (string, int)[] variables =
            [("RANK", rank), ("LOCAL_RANK", rank), ("WORLD_SIZE", options.Ranks), ("MASTER_PORT", port), ("OMP_NUM_THREADS", 1)];
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value.ToString(CultureInfo.InvariantCulture);
        }

        start.Environment["MASTER_ADDR"] = "127.0.0.1";
        return Process.Start(start)!;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
