using Fovea.Tensors.Native;

namespace Fovea.Tensors;

/// <summary>The library of matrix products that libtorch has loaded.</summary>
/// <param name="Name">For instance <c>OpenBLAS</c>.</param>
/// <param name="Path">Its file; empty where it is part of libtorch.</param>
/// <param name="OwnThreads">Whether it computes on threads of its own, beside those of libtorch.</param>
/// <param name="Core">The processor that its kernels are for, in its own word; empty where it does not say.</param>
internal sealed record Blas(string Name, string Path, bool OwnThreads, string Core)
{
    /// <summary>The one of this process.</summary>
    public static Blas InUse()
    {
        Bridge.EnsureLoaded();
        return Among(File.ReadLines("/proc/self/maps").Select(line => line.IndexOf('/') is >= 0 and var at ? line[at..] : string.Empty), OpenBlas.Ask);
    }

    internal static Blas Among(IEnumerable<string> mapped, Func<string, (int Parallel, string Core)?> ask)
    {
        var files = mapped.Where(path => path.Length > 0).Distinct().ToList();
        if (File("libopenblas") is { } open)
        {
            var said = ask(open);
            var own = said is (1, _) || (said is null && open.Contains("pthread", StringComparison.Ordinal));
            return new Blas("OpenBLAS", open, own, said?.Core ?? string.Empty);
        }

        return File("libmkl_") is { } mkl ? new Blas("MKL", mkl, false, string.Empty)
            : File("libblas") is { } plain ? new Blas("reference BLAS", plain, false, string.Empty)
            : new Blas("libtorch's own", string.Empty, false, string.Empty);

        string? File(string start) => files.FirstOrDefault(path => System.IO.Path.GetFileName(path).StartsWith(start, StringComparison.Ordinal));
    }
}
