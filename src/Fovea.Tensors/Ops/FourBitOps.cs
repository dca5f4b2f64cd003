namespace Fovea.Tensors;

/// <summary>Matrices in 4 bits, as bitsandbytes keeps them: 16 codes, two to a byte, and a scale for each block of numbers in a row.</summary>
internal static class FourBitOps
{
    private static readonly Operator PackOp = new("fovea::four_bit_pack");
    private static readonly Operator PackScalesOp = new("fovea::four_bit_pack_scales");
    private static readonly Operator ScaleMapOp = new("fovea::four_bit_scale_map");
    private static readonly Operator UnpackOp = new("fovea::four_bit_unpack");
    private static readonly Operator RowNormsOp = new("fovea::four_bit_row_norms");
    private static readonly Operator LinearOp = new("fovea::four_bit_linear");

    /// <summary>The nearest code of each number, divided by its block's largest magnitude; on the CPU.</summary>
    /// <param name="code">fp32 [16]</param>
    /// <returns>Bytes, the first number of two in the high half, and fp32 scales.</returns>
    public static (Tensor Bytes, Tensor Scales) FourBitPack(this Tensor x, Tensor code, int block) => PackOp.CallTwo(x, code, block);

    /// <summary>Scales as bytes: the nearest value of the map, for what is left when the mean is taken off, divided by the largest of 256.</summary>
    /// <param name="map">fp32 [256], ascending</param>
    public static (Tensor Bytes, Tensor Nested) FourBitPackScales(this Tensor scales, Tensor map, Tensor mean) => PackScalesOp.CallTwo(scales, map, mean);

    /// <summary>
    /// The values of a byte that stands for a scale, fp32 [256], ascending: for each power of ten from -6 to 0, twice as many as for the one before, in the
    /// middles of equal parts of [0.1, 1], with both signs; then 0 and 1.
    /// </summary>
    public static Tensor FourBitScaleMap() => ScaleMapOp.Call();

    /// <returns>[outputs, inputs] in the type.</returns>
    public static Tensor FourBitUnpack(
        this Tensor bytes, Tensor scales, Tensor? nested, Tensor? map, double mean, Tensor code, long outputs, long inputs, int block, DType type) =>
        UnpackOp.Call(bytes, scales, nested, map, mean, code, outputs, inputs, block, type);

    /// <summary>Lengths of the rows of what unpacks to the type, a few rows at a time.</summary>
    /// <returns>fp32 [outputs]</returns>
    public static Tensor FourBitRowNorms(
        this Tensor bytes, Tensor scales, Tensor? nested, Tensor? map, double mean, Tensor code, long outputs, long inputs, int block, DType type) =>
        RowNormsOp.Call(bytes, scales, nested, map, mean, code, outputs, inputs, block, type);

    /// <summary>x W^T + b; the gradient goes to x and b. W is unpacked in pieces, never as a whole.</summary>
    /// <param name="x">[..., in]</param>
    /// <returns>[..., out]</returns>
    public static Tensor FourBitLinear(
        this Tensor x, Tensor? bias, Tensor bytes, Tensor scales, Tensor? nested, Tensor? map, double mean, Tensor code, long outputs, int block) =>
        LinearOp.Call(x, bias, bytes, scales, nested, map, mean, code, outputs, block);
}
