using Fovea.Tensors.Native;

namespace Fovea.Tensors;

/// <summary>The libtorch at hand: version, threads, devices, random numbers.</summary>
internal static class Torch
{
    public static string Version
    {
        get
        {
            Bridge.EnsureLoaded();
            return TorchText.Version();
        }
    }

    /// <summary>Threads of one operator.</summary>
    public static int Threads
    {
        get
        {
            Bridge.EnsureLoaded();
            return Bridge.Threads(0);
        }

        set
        {
            Bridge.EnsureLoaded();
            _ = Bridge.Threads(value);
        }
    }

    /// <summary>Number of CUDA GPUs that this libtorch can use; 0 without CUDA.</summary>
    public static int CudaDevices
    {
        get
        {
            Bridge.EnsureLoaded();
            return Bridge.DeviceCount((int)DeviceType.Cuda);
        }
    }

    /// <summary>How libtorch was built and how it runs operators in parallel, in its own words.</summary>
    public static string BuildReport()
    {
        Bridge.EnsureLoaded();
        return TorchText.BuildReport();
    }

    /// <summary>Seeds every default generator.</summary>
    public static void Seed(ulong seed)
    {
        Bridge.EnsureLoaded();
        Bridge.Check(Bridge.Seed(seed));
    }

    /// <summary>State of the default CPU generator, as bytes in a tensor.</summary>
    public static Tensor RngState()
    {
        Bridge.EnsureLoaded();
        Bridge.Check(Bridge.RngState(out var state));
        return new Tensor(state);
    }

    public static void SetRngState(Tensor state) => Door.With(state, Bridge.SetRngState);

    /// <summary>Refuses operators that have no deterministic form.</summary>
    public static void Deterministic(bool enabled)
    {
        Bridge.EnsureLoaded();
        Bridge.Deterministic(enabled ? 1 : 0);
    }
}
