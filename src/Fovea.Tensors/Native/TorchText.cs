using System.Runtime.InteropServices;

namespace Fovea.Tensors.Native;

/// <summary>Texts that libtorch hands out.</summary>
internal static unsafe class TorchText
{
    private const int ReportBytes = 16384;

    internal static string Version() => Marshal.PtrToStringUTF8((nint)Bridge.TorchVersion()) ?? "unknown";

    internal static string BuildReport()
    {
        var buffer = stackalloc byte[ReportBytes];
        Bridge.Check(Bridge.BuildReport(buffer, ReportBytes));
        return Marshal.PtrToStringUTF8((nint)buffer) ?? string.Empty;
    }
}
