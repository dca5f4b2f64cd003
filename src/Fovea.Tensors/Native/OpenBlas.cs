using System.Runtime.InteropServices;

namespace Fovea.Tensors.Native;

/// <summary>What the OpenBLAS that this process has loaded says of itself.</summary>
internal static unsafe class OpenBlas
{
    /// <summary>
    /// How it runs in parallel, 0 not, 1 by threads of its own, 2 by OpenMP, and the processor that its kernels are for; null where it does not say.
    /// </summary>
    public static (int Parallel, string Core)? Ask(string path)
    {
        if (!NativeLibrary.TryLoad(path, out var library))
        {
            return null;
        }

        // It is loaded already: this only takes it once more, and gives that back.
        try
        {
            if (!NativeLibrary.TryGetExport(library, "openblas_get_parallel", out var parallel)
                || !NativeLibrary.TryGetExport(library, "openblas_get_corename", out var core))
            {
                return null;
            }

            var name = Marshal.PtrToStringUTF8((nint)((delegate* unmanaged<byte*>)core)());
            return (((delegate* unmanaged<int>)parallel)(), name ?? string.Empty);
        }
        finally
        {
            NativeLibrary.Free(library);
        }
    }
}
