using System.Globalization;
using Fovea.Tensors.Native;

namespace Fovea.Tensors;

/// <summary>Which device a run computes on, and facts about GPUs.</summary>
internal static class Devices
{
    public const string Names = "auto, cpu, cuda or cuda:N";

    /// <summary>What the bridge knows of CUDA: nothing, libtorch's operators, or kernels of its own besides.</summary>
    public static string CudaSupport
    {
        get
        {
            Bridge.EnsureLoaded();
            return Bridge.CudaLevel() switch { 0 => "none", 1 => "libtorch's operators", _ => "kernels of its own" };
        }
    }

    /// <summary>What was refused so far in this process; the first call of a kernel decides.</summary>
    public static IReadOnlyList<KernelRefusal> Refusals
    {
        get
        {
            Bridge.EnsureLoaded();
            var lines = Bridge.KernelState().Split('\n', StringSplitOptions.RemoveEmptyEntries);
            return [.. lines.Select(line => line.Split('\t', 4)).Where(p => p.Length == 4)
                .Select(p => new KernelRefusal(p[0], p[1], long.Parse(p[2], CultureInfo.InvariantCulture), p[3]))];
        }
    }

    /// <summary>Whether <see cref="Choose(string)"/> knows the name.</summary>
    public static bool IsName(string name) => name is "auto" or "cpu" or "cuda" || CardOf(name) is not null;

    /// <summary>The device of a name; <c>auto</c> is the GPU of this process where there is one, else the CPU. Makes the GPU the current one.</summary>
    /// <exception cref="ConfigException">The name is unknown, or there is no such GPU.</exception>
    public static Device Choose(string name)
    {
        if (name == "cpu")
        {
            return Device.Cpu;
        }

        var device = Choose(name, Torch.CudaDevices, Environment.GetEnvironmentVariable("LOCAL_RANK"));
        Bridge.Check(Bridge.UseDevice(device.Packed));
        return device;
    }

    /// <summary>As the other overload, given the number of GPUs and the LOCAL_RANK of this process; changes nothing.</summary>
    public static Device Choose(string name, int cards, string? localRank)
    {
        if (!IsName(name))
        {
            throw new ConfigException($"device: '{name}' is not known; give {Names}");
        }

        if (name == "cpu" || (name == "auto" && cards == 0))
        {
            return Device.Cpu;
        }

        var card = CardOf(name) ?? (int.TryParse(localRank, NumberStyles.None, CultureInfo.InvariantCulture, out var rank) ? rank : 0);
        if (card >= cards)
        {
            var asked = CardOf(name) is null && card > 0 ? $"LOCAL_RANK={localRank} asks for GPU {card}" : $"{name} asks for GPU {card}";
            throw new ConfigException(
                $"device: {asked}, and libtorch sees {cards} (numbered from 0). Check nvidia-smi and CUDA_VISIBLE_DEVICES, or give device: cpu");
        }

        return Device.Cuda(card);
    }

    /// <summary>The GPU's own name; empty for the CPU.</summary>
    public static string NameOf(Device device)
    {
        Bridge.EnsureLoaded();
        return Bridge.NameOf(device.Packed);
    }

    /// <summary>Waits until the device has done all that was queued.</summary>
    public static void Synchronize(Device device)
    {
        Bridge.EnsureLoaded();
        Bridge.Check(Bridge.Synchronize(device.Packed));
    }

    private static int? CardOf(string name) =>
        name.StartsWith("cuda:", StringComparison.Ordinal)
            && int.TryParse(name["cuda:".Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var card)
            ? card
            : null;
}
