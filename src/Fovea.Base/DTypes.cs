namespace Fovea;

/// <summary>Facts about element types.</summary>
internal static class DTypes
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(this DType dtype) => dtype switch
    {
        DType.U8 or DType.I8 or DType.Bool or DType.F8E5M2 or DType.F8E4M3 => 1,
        DType.I16 or DType.F16 or DType.BF16 => 2,
        DType.I32 or DType.F32 => 4,
        DType.I64 or DType.F64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "unknown element type"),
    };

    public static bool IsFloating(this DType dtype) =>
        dtype is DType.F16 or DType.BF16 or DType.F32 or DType.F64 or DType.F8E5M2 or DType.F8E4M3;

    /// <summary>The name that safetensors headers use, for instance <c>BF16</c>.</summary>
    public static string SafetensorsName(this DType dtype) => dtype switch
    {
        DType.Bool => "BOOL",
        DType.F8E5M2 => "F8_E5M2",
        DType.F8E4M3 => "F8_E4M3",
        _ => dtype.ToString(),
    };
}
