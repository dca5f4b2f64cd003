using Fovea.Tensors;

namespace Fovea.Nn.FourBit;

/// <summary>A frozen matrix in 4 bits. Its tensors belong to whoever holds it.</summary>
/// <param name="Format">Has codes and map; belongs to the ledger.</param>
/// <param name="Bytes">Two codes each, row after row.</param>
/// <param name="Scales">One for each block: fp32, or bytes where <paramref name="Nested"/> says how large they are.</param>
/// <param name="Nested">The scales' own scales; null where scales are fp32.</param>
/// <param name="Mean">What was taken off the scales first.</param>
internal sealed record FourBitWeight(FourBitFormat Format, Tensor Bytes, Tensor Scales, Tensor? Nested, double Mean, long Outputs, long Inputs)
{
    public IEnumerable<Tensor> Tensors => Nested is null ? [Bytes, Scales] : [Bytes, Scales, Nested];

    /// <summary>What it takes in memory.</summary>
    public long ByteCount => Tensors.Sum(tensor => tensor.Count * tensor.DType.Size());

    /// <param name="dense">[outputs, inputs], rounded to the type of the computation. On the meta device only sizes are made.</param>
    /// <param name="place">Where the codes are to lie; null is the device of the format, on which scales are.</param>
    public static FourBitWeight Pack(Tensor dense, FourBitFormat format, Device? place = null)
    {
        using var scope = TensorScope.Open("4 bits");
        var device = format.Code.Device;
        var (outputs, inputs) = (dense.Size(0), dense.Size(1));
        if (dense.Device.Type == DeviceType.Meta)
        {
            return Sizes(format, outputs, inputs);
        }

        var host = dense.To(Device.Cpu);
        var (bytes, scales) = host.FourBitPack(format.Code.To(Device.Cpu), format.Block);
        if (format.Map is not { } map)
        {
            return new FourBitWeight(format, bytes.To(place ?? device).Keep(), scales.To(device).Keep(), null, 0, outputs, inputs);
        }

        var mean = scales.Mean(0);
        var (small, nested) = scales.FourBitPackScales(map.To(Device.Cpu), mean);
        return new FourBitWeight(format, bytes.To(place ?? device).Keep(), small.To(device).Keep(), nested.To(device).Keep(), mean.Item(), outputs, inputs);
    }

    /// <summary>The same numbers, their scales on the device of the format; on the CPU mapped memory stays where it is.</summary>
    /// <param name="place">Where the codes are to lie at first.</param>
    public static FourBitWeight Of(StoredFourBit stored, FourBitFormat format, Device place)
    {
        var device = format.Code.Device;
        return new FourBitWeight(
            format, stored.Bytes.To(place).Keep(), stored.Scales.To(device).Keep(), stored.Nested?.To(device).Keep(), stored.Mean, stored.Outputs,
            stored.Inputs);
    }

    /// <summary>All of it, in the open scope.</summary>
    public Tensor Unpack(DType type) =>
        Bytes.FourBitUnpack(Scales, Nested, Format.Map, Mean, Format.Code, Outputs, Inputs, Format.Block, type);

    /// <summary>Lengths of the rows of what unpacks to the type, fp32 [out].</summary>
    public Tensor RowNorms(DType type) =>
        Bytes.FourBitRowNorms(Scales, Nested, Format.Map, Mean, Format.Code, Outputs, Inputs, Format.Block, type);

    /// <param name="x">[..., in]</param>
    /// <returns>x W^T + b, [..., out]</returns>
    public Tensor Times(Tensor x, Tensor? bias) =>
        x.FourBitLinear(bias, Bytes, Scales, Nested, Format.Map, Mean, Format.Code, Outputs, Format.Block);

    private static FourBitWeight Sizes(FourBitFormat format, long outputs, long inputs)
    {
        var (count, blocks) = (outputs * inputs, ((outputs * inputs) + format.Block - 1) / format.Block);
        Tensor Of(long length, DType type) => CreateOps.Empty([length], type, Device.Meta).Keep();
        var (bytes, nested) = (Of((count + 1) / 2, DType.U8), (blocks + FourBitFormat.NestedBlock - 1) / FourBitFormat.NestedBlock);
        return format.Map is null
            ? new FourBitWeight(format, bytes, Of(blocks, DType.F32), null, 0, outputs, inputs)
            : new FourBitWeight(format, bytes, Of(blocks, DType.U8), Of(nested, DType.F32), 0, outputs, inputs);
    }
}
