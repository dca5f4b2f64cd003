using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Fovea.Tensors.Native;

/// <summary>The exports of the native bridge, one line each. Everything above this folder is managed and safe.</summary>
internal static unsafe partial class Bridge
{
    private const string Lib = "fovea_native";

    /// <summary>Set once by <see cref="Load"/>: why the bridge could not be loaded, or null.</summary>
    private static readonly Lazy<bool> Loaded = new(Load);

    /// <summary>Loads libtorch and the bridge on first use; commands that compute nothing never call it.</summary>
    internal static void EnsureLoaded() => _ = Loaded.Value;

    private static bool Load()
    {
        // libtorch pulls in MPI and UCX, which would take over SIGSEGV and turn every null reference into an abort.
        // The environment block of the C library is not the one that Environment.SetEnvironmentVariable writes.
        _ = SetEnv("UCX_HANDLE_ERRORS", "none", 1);

        // c10d writes a stack trace for every connection that breaks; what matters of it comes back as an exception.
        _ = SetEnv("TORCH_CPP_LOG_LEVEL", "ERROR", 0);

        // Packed batches differ in length: segments that grow leave no holes between them. Whoever sets one of the two names has their way.
        if (Environment.GetEnvironmentVariable("PYTORCH_ALLOC_CONF") is null)
        {
            _ = SetEnv("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True", 0);
        }

        // NCCL's watchdog would end the process before Mesh can say which rank is to blame; Mesh has a time limit of its own and ends what hangs.
        _ = SetEnv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0", 0);

        // The launcher has said it already. Without a word OpenMP would take every processor of the machine, whatever a container grants.
        _ = SetEnv("OMP_NUM_THREADS", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture), 0);
        var places = BridgePlaces.OfThisProcess();
        var path = places.Find();
        nint library;
        try
        {
            if (places.Libtorch(path) is { } libtorch)
            {
                _ = NativeLibrary.Load(libtorch);
            }

            library = NativeLibrary.Load(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            var remedy = places.Remedy(Environment.GetEnvironmentVariable("FOVEA_DOTNET"), Environment.ProcessPath);
            throw new TorchException($"the native bridge {path} cannot be loaded. {remedy}. {e.Message}", e);
        }

        NativeLibrary.SetDllImportResolver(Assembly.GetExecutingAssembly(), (name, _, _) => name == Lib ? library : 0);
        Check(AutogradStart());
        return true;
    }

    /// <summary>Turns a non-zero status into an exception with libtorch's words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Check(int status)
    {
        if (status != 0)
        {
            Throw();
        }
    }

    internal static string LastErrorText() => Marshal.PtrToStringUTF8((nint)LastError()) ?? "no message";

    private static void Throw()
    {
        Autograd.RethrowPending();
        throw new TorchException(LastErrorText());
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnv(string name, string value, int overwrite);

    [LibraryImport(Lib, EntryPoint = "fovea_last_error")]
    private static partial byte* LastError();

    [LibraryImport(Lib, EntryPoint = "fovea_find", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Find(string name, string overload, out nint op);

    [LibraryImport(Lib, EntryPoint = "fovea_call")]
    internal static partial int Call(nint op, NativeValue* args, int count, NativeValue* results, int capacity, int* resultCount);

    [LibraryImport(Lib, EntryPoint = "fovea_release")]
    internal static partial void Release(nint tensor);

    [LibraryImport(Lib, EntryPoint = "fovea_retain")]
    internal static partial nint Retain(nint tensor);

    [LibraryImport(Lib, EntryPoint = "fovea_facts")]
    internal static partial int Facts(nint tensor, NativeFacts* facts);

    [LibraryImport(Lib, EntryPoint = "fovea_from_memory")]
    internal static partial int FromMemory(
        void* data, long* sizes, int dims, int dtype, delegate* unmanaged<nint, void> release, nint context, out nint tensor);

    [LibraryImport(Lib, EntryPoint = "fovea_autograd_start")]
    private static partial int AutogradStart();

    [LibraryImport(Lib, EntryPoint = "fovea_grad_mode")]
    internal static partial int GradMode(int enabled);

    [LibraryImport(Lib, EntryPoint = "fovea_requires_grad")]
    internal static partial int RequiresGrad(nint tensor, int value);

    [LibraryImport(Lib, EntryPoint = "fovea_backward")]
    internal static partial int Backward(nint* roots, nint* gradients, int count, int retainGraph);

    [LibraryImport(Lib, EntryPoint = "fovea_gradients")]
    internal static partial int Gradients(nint* roots, nint* gradients, int count, nint* inputs, int inputCount, nint* results);

    [LibraryImport(Lib, EntryPoint = "fovea_get_grad")]
    internal static partial int GetGrad(nint tensor, out nint gradient);

    [LibraryImport(Lib, EntryPoint = "fovea_set_grad")]
    internal static partial int SetGrad(nint tensor, nint gradient);

    [LibraryImport(Lib, EntryPoint = "fovea_on_accumulated")]
    internal static partial int OnAccumulated(
        nint tensor, delegate* unmanaged<nint, int> call, delegate* unmanaged<nint, void> free, nint context);

    [LibraryImport(Lib, EntryPoint = "fovea_on_gradient")]
    internal static partial int OnGradient(
        nint tensor, delegate* unmanaged<nint, int> call, delegate* unmanaged<nint, void> free, nint context);

    [LibraryImport(Lib, EntryPoint = "fovea_managed_step")]
    internal static partial int ManagedStep(
        nint input, nint result, delegate* unmanaged<nint, nint, nint*, int> backward, delegate* unmanaged<nint, void> free, nint context, out nint made);

    [LibraryImport(Lib, EntryPoint = "fovea_over")]
    internal static partial int Over(nint tensor, long start, long* sizes, int dims, out nint result);

    [LibraryImport(Lib, EntryPoint = "fovea_hold")]
    internal static partial int Hold(nint tensor, int hold);

    [LibraryImport(Lib, EntryPoint = "fovea_checkpoint_begin")]
    internal static partial int CheckpointBegin(
        delegate* unmanaged<nint, int> recompute, delegate* unmanaged<nint, void> free, nint context);

    [LibraryImport(Lib, EntryPoint = "fovea_checkpoint_end")]
    internal static partial int CheckpointEnd();

    [LibraryImport(Lib, EntryPoint = "fovea_selective_begin")]
    internal static partial int SelectiveBegin();

    [LibraryImport(Lib, EntryPoint = "fovea_saved_start")]
    internal static partial int SavedStart();

    [LibraryImport(Lib, EntryPoint = "fovea_saved_note")]
    internal static partial int SavedNote(nint tensor, int counts);

    [LibraryImport(Lib, EntryPoint = "fovea_saved_take")]
    internal static partial int SavedTake(out long bytes);

    [LibraryImport(Lib, EntryPoint = "fovea_saved_stop")]
    internal static partial int SavedStop();

    [LibraryImport(Lib, EntryPoint = "fovea_count_start")]
    internal static partial int CountStart();

    [LibraryImport(Lib, EntryPoint = "fovea_count_read")]
    internal static partial int CountRead(out long live, out long peak, int restart);

    [LibraryImport(Lib, EntryPoint = "fovea_count_stop")]
    internal static partial int CountStop();

    [LibraryImport(Lib, EntryPoint = "fovea_blocks_read")]
    internal static partial int BlocksRead(out long live, out long kept, out long peak);

    [LibraryImport(Lib, EntryPoint = "fovea_blocks_trim")]
    internal static partial int BlocksTrim();

    [LibraryImport(Lib, EntryPoint = "fovea_torch_version")]
    internal static partial byte* TorchVersion();

    [LibraryImport(Lib, EntryPoint = "fovea_build_report")]
    internal static partial int BuildReport(byte* buffer, int capacity);

    [LibraryImport(Lib, EntryPoint = "fovea_threads")]
    internal static partial int Threads(int wanted);

    [LibraryImport(Lib, EntryPoint = "fovea_device_count")]
    internal static partial int DeviceCount(int deviceType);

    [LibraryImport(Lib, EntryPoint = "fovea_seed")]
    internal static partial int Seed(ulong seed);

    [LibraryImport(Lib, EntryPoint = "fovea_rng_state")]
    internal static partial int RngState(out nint state);

    [LibraryImport(Lib, EntryPoint = "fovea_set_rng_state")]
    internal static partial int SetRngState(nint state);

    [LibraryImport(Lib, EntryPoint = "fovea_deterministic")]
    internal static partial void Deterministic(int enabled);
}
