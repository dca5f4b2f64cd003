using System.Runtime.Intrinsics.X86;
using Fovea.Tensors;

namespace Fovea.Training.Session;

/// <summary>What decides which kernels serve: the machine, the libraries and the variables of the environment.</summary>
internal sealed record Surroundings
{
    public required Blas Blas { get; init; }

    /// <summary>Which kernel multiplies matrices of each element type (<see cref="ProductChoice"/>).</summary>
    public required string Products { get; init; }

    /// <summary>As <see cref="Devices.CudaSupport"/> says it.</summary>
    public required string CudaSupport { get; init; }

    /// <summary>Vector instructions of the processor, for our own kernels.</summary>
    public required string Vectors { get; init; }

    /// <summary>Threads of one operator in this process.</summary>
    public required int Threads { get; init; }

    /// <summary>Processors that this process may use.</summary>
    public required int Processors { get; init; }

    public required Func<string, string?> Variable { get; init; }

    public static Surroundings Here() => new()
    {
        Blas = Blas.InUse(),
        Products = ProductChoice.InUse().ToString(),
        CudaSupport = Devices.CudaSupport,
        Vectors = Avx512F.IsSupported ? "AVX-512" : Avx2.IsSupported ? "AVX2" : "no AVX2",
        Threads = Torch.Threads,
        Processors = Environment.ProcessorCount,
        Variable = Environment.GetEnvironmentVariable,
    };
}
