using System.Globalization;
using Fovea.Tensors;

namespace Fovea.Launch;

/// <summary>What this machine has for ranks.</summary>
internal static class Resources
{
    /// <summary>Set by the starting script when it chose OMP_NUM_THREADS itself: the processors that it found.</summary>
    public const string ProcessorsVariable = "FOVEA_THREADS";

    private const string Cards = "/proc/driver/nvidia/gpus";

    /// <summary>GPUs that the ranks may use. libtorch is only asked, and loaded for it, where there may be several.</summary>
    public static int Gpus(bool useCpu)
    {
        if (useCpu)
        {
            return 0;
        }

        var cards = Directory.Exists(Cards) ? Directory.GetDirectories(Cards).Length : 0;
        return cards > 1 || File.Exists("/dev/dxg") ? Torch.CudaDevices : cards;
    }

    /// <summary>Processors that this process may use.</summary>
    public static int Processors(LaunchVariables variables) => Chosen(variables) ?? Environment.ProcessorCount;

    /// <summary>OpenMP threads of each of several ranks: the processors shared out, unless the user chose. Null leaves the variable.</summary>
    public static int? Threads(LaunchVariables variables, int processes)
    {
        var chosen = Chosen(variables)?.ToString(CultureInfo.InvariantCulture);
        return variables.Text("OMP_NUM_THREADS") is { } threads && threads != chosen ? null : Math.Max(1, Processors(variables) / processes);
    }

    private static int? Chosen(LaunchVariables variables) => variables.Count(1, ProcessorsVariable);
}
