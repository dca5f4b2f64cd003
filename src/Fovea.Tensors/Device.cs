namespace Fovea.Tensors;

/// <summary>Where a tensor lives. <c>Meta</c> has shapes and element types but no memory.</summary>
internal readonly record struct Device(DeviceType Type, int Index = -1)
{
    public static Device Cpu => new(DeviceType.Cpu);

    public static Device Meta => new(DeviceType.Meta);

    public static Device Cuda(int index = 0) => new(DeviceType.Cuda, index);

    internal long Packed => ((long)Type << 8) | (uint)(Index & 0xff);

    internal static Device Unpack(long packed) =>
        new((DeviceType)(packed >> 8), (packed & 0xff) == 0xff ? -1 : (int)(packed & 0xff));

    public override string ToString() => Index < 0 ? Type.ToString().ToLowerInvariant() : $"{Type.ToString().ToLowerInvariant()}:{Index}";
}
