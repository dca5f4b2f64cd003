using System.Globalization;
using Fovea.Tensors;

namespace Fovea.Training.Session;

/// <summary>
/// The kernels in use, and where a slower way is taken: why, what it costs, what to do. One list for <c>doctor</c> and for the first lines of a run.
/// </summary>
internal static class KernelReport
{
    // What is left in the environment from some other day, and quietly makes every step slower.
    private static readonly (string Name, string Cost)[] Slowing =
    [
        ("OPENBLAS_CORETYPE", "OpenBLAS computes with the kernels of that processor, whatever this one is"),
        ("ATEN_CPU_CAPABILITY", "libtorch's own loops leave newer vector instructions unused"),
        ("ONEDNN_MAX_CPU_ISA", "16-bit products leave newer instructions unused"),
        ("DNNL_MAX_CPU_ISA", "16-bit products leave newer instructions unused"),
        ("MKL_ENABLE_INSTRUCTIONS", "MKL leaves newer instructions unused"),
        ("OPENBLAS_NUM_THREADS", "matrix products keep to that many threads, whatever OMP_NUM_THREADS says"),
    ];

    /// <param name="ranksHere">Processes of the run on this machine.</param>
    public static IReadOnlyList<KernelFact> Of(Device device, int ranksHere = 1) => Of(device, ranksHere, Surroundings.Here());

    internal static IReadOnlyList<KernelFact> Of(Device device, int ranksHere, Surroundings here) =>
    [
        .. device.Type == DeviceType.Cuda ? OnCard(here) : OnProcessor(here),
        Threads(device, ranksHere, here),
        .. Variables(device, here),
    ];

    internal static IReadOnlyList<KernelFact> Of(IEnumerable<KernelRefusal> refusals) =>
    [
        .. refusals.Select(refusal => refusal.Kernel.EndsWith("attention", StringComparison.Ordinal)
            ? new KernelFact(
                refusal.Kernel, $"refused for {refusal.Case} ({refusal.Why})",
                "attention takes a slower kernel, or one sample after another, and more memory",
                "use bf16: true or fp16: true on a GPU of compute capability 8.0 or newer, with a libtorch that was built for it")
            : new KernelFact(
                refusal.Kernel, $"operators of libtorch for {refusal.Case} ({refusal.Why})",
                "it goes over memory many times, in many small steps",
                $"without nvcc, install the CUDA toolkit and start {StartedAs.Command} again; else use bf16, fp16 or fp32, and sizes that docs/gpu.md lists")),
    ];

    /// <summary>All of it in one line.</summary>
    public static string Line(IEnumerable<KernelFact> facts) =>
        string.Join(", ", facts.Where(fact => fact.Name != "environment").Select(fact => $"{fact.Name}: {fact.InUse}"));

    // A line for each kind of work on the CPU.
    private static IEnumerable<KernelFact> OnProcessor(Surroundings here)
    {
        yield return Vectors(here);
        yield return Products(here.Blas);
        yield return new KernelFact("product kernels", here.Products);
    }

    // A line for each kind of work on a card. Which attention serves is known after the first call only.
    private static IEnumerable<KernelFact> OnCard(Surroundings here)
    {
        yield return here.CudaSupport == "kernels of its own"
            ? new KernelFact("own kernels", "CUDA")
            : new KernelFact(
                "own kernels", "none on the GPU",
                "RMSNorm, rotary embedding, SwiGLU, gates, recurrences and the loss are computed by plain formulas, with several passes over memory each",
                $"install the CUDA toolkit, so that nvcc is found, and start {StartedAs.Command} again: it builds them");
    }

    private static KernelFact Vectors(Surroundings here) => here.Vectors is "no AVX2"
        ? new KernelFact("own kernels", here.Vectors, "every step takes many times as long", "use a processor with AVX2 (Intel of 2013, AMD of 2015, or newer)")
        : new KernelFact("own kernels", here.Vectors);

    private static KernelFact Products(Blas blas)
    {
        var name = blas.Core.Length > 0 ? $"{blas.Name} ({blas.Core})" : blas.Name;
        const string remedy = "sudo apt-get install libopenblas0-openmp, or start with LIBTORCH=private";
        return blas.OwnThreads
            ? new KernelFact(
                "products", $"{name} with threads of its own", "beside libtorch's OpenMP threads small products take up to 40 times as long", remedy)
            : blas.Name == "reference BLAS"
                ? new KernelFact("products", $"{name}, {blas.Path}", "it uses one thread and no vectors", remedy)
                : new KernelFact("products", name);
    }

    private static KernelFact Threads(Device device, int ranks, Surroundings here)
    {
        var each = Math.Max(1, here.Processors / ranks);
        var (threads, of) = (Text(here.Threads), ranks > 1 ? $" for each of {Text(ranks)} ranks" : string.Empty);
        return device.Type == DeviceType.Cuda || here.Threads <= each
            ? new KernelFact("threads", $"{threads}{of} on {Text(here.Processors)} processors")
            : new KernelFact(
                "threads", $"{threads}{of} on {Text(here.Processors)} processors",
                "threads that wait awake take the processors from those that compute, and every operator waits for its last one",
                $"set OMP_NUM_THREADS={Text(each)}, or leave it unset");
    }

    private static IEnumerable<KernelFact> Variables(Device device, Surroundings here)
    {
        foreach (var (name, cost) in Slowing)
        {
            if (device.Type == DeviceType.Cpu && here.Variable(name) is { Length: > 0 } value && Applies(name, value, here))
            {
                yield return new KernelFact("environment", $"{name}={value}", cost, $"unset {name}");
            }
        }
    }

    private static bool Applies(string name, string value, Surroundings here) => name switch
    {
        "OPENBLAS_NUM_THREADS" => here.Blas.Name == "OpenBLAS" && int.TryParse(value, CultureInfo.InvariantCulture, out var threads) && threads < here.Threads,
        _ when name.StartsWith("OPENBLAS", StringComparison.Ordinal) => here.Blas.Name == "OpenBLAS",
        _ => true,
    };

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
