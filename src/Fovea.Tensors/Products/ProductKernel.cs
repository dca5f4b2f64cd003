namespace Fovea.Tensors;

/// <summary>What multiplies matrices of one element type on the CPU; the mirror of <c>fovea::ProductKernel</c> in native/kernels/product_choice.h.</summary>
internal enum ProductKernel
{
    /// <summary>What libtorch brings: oneDNN or OpenBLAS.</summary>
    Library = 0,

    /// <summary>16 bits widened to fp32 piece by piece, multiplied by the BLAS.</summary>
    Widened = 1,

    /// <summary>Our own tiles: 16 bits widened as they are packed, multiplied in fp32.</summary>
    Tiles = 2,

    /// <summary>Our own tiles of bf16 pairs, on processors that multiply those.</summary>
    Pairs = 3,
}
