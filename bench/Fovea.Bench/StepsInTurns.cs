using System.Globalization;
using Fovea.Tensors;

namespace Fovea.Bench;

/// <summary>Training steps of ours and, where there is one, of a peer that was handed the same weights and batch, in turns.</summary>
internal sealed class StepsInTurns
{
    /// <summary>Name of the benchmark, as it is called.</summary>
    public required string Job { get; init; }

    /// <summary>What was trained, in words.</summary>
    public required string Settings { get; init; }

    /// <summary>One step of ours; its loss before the update comes back.</summary>
    public required Func<double> Step { get; init; }

    /// <summary>Of one step.</summary>
    public required int Tokens { get; init; }

    /// <summary>Steps that are not measured.</summary>
    public required int WarmUp { get; init; }

    public required DType Compute { get; init; }

    /// <summary>Writes weights and batch for a peer into a folder, and names its script and its own arguments; null without a peer.</summary>
    public Func<string, (string Script, IReadOnlyList<string> Arguments)>? Peer { get; init; }

    private string TypeName => Compute == DType.BF16 ? "bf16" : "fp32";

    /// <summary>How far the first losses may lie apart.</summary>
    private double Tolerance => Compute == DType.BF16 ? 0.02 : 1e-4;

    /// <exception cref="ConfigException">The peer computes another loss: then nothing is compared.</exception>
    public SmallResult Run(int steps)
    {
        var folder = Peer is null ? null : Directory.CreateTempSubdirectory("fovea-peer-").FullName;
        try
        {
            using var other = folder is null ? null : Start(Peer!(folder), folder);
            var loss = Step();
            for (var i = 1; i < WarmUp; i++)
            {
                Step();
            }

            if (other is not null && (double)other.Read()["losses"]![0]! is var theirLoss && !(Math.Abs(theirLoss - loss) <= Tolerance))
            {
                throw new ConfigException(string.Create(
                    CultureInfo.InvariantCulture, $"the first losses are {loss:0.0000} and {theirLoss:0.0000}: not the same job, so nothing is compared"));
            }

            return Measure(steps, loss, other);
        }
        finally
        {
            if (folder is not null)
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    private PeerProcess Start((string Script, IReadOnlyList<string> Arguments) peer, string folder) =>
        new(peer.Script, [folder, "--dtype", TypeName, "--threads", $"{Torch.Threads}", .. peer.Arguments]);

    private SmallResult Measure(int steps, double loss, PeerProcess? other)
    {
        var (ours, theirs) = (new Timings(), new Timings());
        for (var i = 0; i < steps; i++)
        {
            ours.Measure(Step);
            if (other?.Ask("step") is { } answer)
            {
                theirs.Add((double)answer["seconds"]!, (double)answer["cpu_seconds"]!);
            }
        }

        var figures = Figures(ours, PeakMemory.ResidentMebibytes);
        var peer = other is null ? null : Figures(theirs, (double)other.Ask("end")["peak_rss_mib"]!);
        return new SmallResult(Job, figures)
        {
            Settings = string.Create(CultureInfo.InvariantCulture, $"{Settings}, {TypeName}; {Torch.Threads} threads; first loss {loss:0.0000}"),
            Libtorch = Torch.Version,
            Peer = peer,
        };
    }

    private Dictionary<string, double> Figures(Timings timings, double memory) => new()
    {
        ["step_seconds_median"] = timings.Median,
        ["step_seconds_best"] = timings.Best,
        ["step_cpu_seconds_median"] = timings.ProcessorMedian,
        ["tokens_per_second_median"] = Tokens / timings.Median,
        ["peak_rss_mib"] = memory,
    };
}
