namespace Fovea.Files.Pickle;

/// <summary>The whole list of Python names that a file may mention.</summary>
internal static class TorchGlobals
{
    public const string OrderedDict = "collections.OrderedDict";
    public const string RebuildTensor = "torch._utils._rebuild_tensor";
    public const string RebuildTensor2 = "torch._utils._rebuild_tensor_v2";
    public const string RebuildTensor3 = "torch._utils._rebuild_tensor_v3";
    public const string RebuildParameter = "torch._utils._rebuild_parameter";
    public const string Size = "torch.Size";
    public const string UntypedStorage = "torch.storage.UntypedStorage";

    private static readonly Dictionary<string, DType> StorageTypes = new(StringComparer.Ordinal)
    {
        ["torch.ByteStorage"] = DType.U8,
        ["torch.CharStorage"] = DType.I8,
        ["torch.ShortStorage"] = DType.I16,
        ["torch.IntStorage"] = DType.I32,
        ["torch.LongStorage"] = DType.I64,
        ["torch.HalfStorage"] = DType.F16,
        ["torch.BFloat16Storage"] = DType.BF16,
        ["torch.FloatStorage"] = DType.F32,
        ["torch.DoubleStorage"] = DType.F64,
        ["torch.BoolStorage"] = DType.Bool,
    };

    private static readonly Dictionary<string, DType> ElementTypes = new(StringComparer.Ordinal)
    {
        ["torch.uint8"] = DType.U8,
        ["torch.int8"] = DType.I8,
        ["torch.int16"] = DType.I16,
        ["torch.int32"] = DType.I32,
        ["torch.int64"] = DType.I64,
        ["torch.float16"] = DType.F16,
        ["torch.bfloat16"] = DType.BF16,
        ["torch.float32"] = DType.F32,
        ["torch.float64"] = DType.F64,
        ["torch.bool"] = DType.Bool,
        ["torch.float8_e4m3fn"] = DType.F8E4M3,
        ["torch.float8_e5m2"] = DType.F8E5M2,
    };

    public static bool IsKnown(PickleGlobal global) =>
        global.FullName is OrderedDict or RebuildTensor or RebuildTensor2 or RebuildTensor3 or RebuildParameter or Size
        || IsUntypedStorage(global) || StorageType(global) is not null || ElementType(global) is not null;

    /// <summary>torch 1.13 and later say <c>torch.storage</c>; both spellings are read.</summary>
    public static bool IsUntypedStorage(PickleGlobal global) => global.FullName is UntypedStorage or "torch.UntypedStorage";

    public static DType? StorageType(PickleGlobal global) => StorageTypes.TryGetValue(global.FullName, out var dtype) ? dtype : null;

    public static DType? ElementType(PickleGlobal global) => ElementTypes.TryGetValue(global.FullName, out var dtype) ? dtype : null;

    /// <summary>The storage class to write for an element type, or null where PyTorch has none (the 8-bit floats).</summary>
    public static string? StorageName(DType dtype)
    {
        foreach (var (name, type) in StorageTypes)
        {
            if (type == dtype)
            {
                return name["torch.".Length..];
            }
        }

        return null;
    }

    /// <summary>PyTorch's name of an element type, without <c>torch.</c>.</summary>
    public static string ElementName(DType dtype) => ElementTypes.First(pair => pair.Value == dtype).Key["torch.".Length..];
}
