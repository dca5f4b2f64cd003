namespace Fovea;

/// <summary>Element types. The values are those of libtorch's <c>c10::ScalarType</c>, so they cross the door unchanged.</summary>
internal enum DType : sbyte
{
    U8 = 0,
    I8 = 1,
    I16 = 2,
    I32 = 3,
    I64 = 4,
    F16 = 5,
    F32 = 6,
    F64 = 7,
    Bool = 11,
    BF16 = 15,
    F8E5M2 = 23,
    F8E4M3 = 24,
}
