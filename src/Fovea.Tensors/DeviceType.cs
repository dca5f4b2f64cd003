namespace Fovea.Tensors;

/// <summary>Kinds of device, with the numbers of libtorch's <c>c10::DeviceType</c>.</summary>
internal enum DeviceType : byte
{
    Cpu = 0,
    Cuda = 1,
    Meta = 14,
}
