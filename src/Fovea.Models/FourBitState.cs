using System.Text;
using System.Text.Json;

namespace Fovea.Models;

/// <summary>What bitsandbytes keeps of a matrix in 4 bits besides numbers: <c>quant_state.bitsandbytes__nf4</c>, JSON in a tensor of bytes.</summary>
/// <param name="Type"><c>nf4</c> or <c>fp4</c>.</param>
/// <param name="Block">Numbers that share a scale.</param>
/// <param name="DType">The element type from which it was rounded, as PyTorch calls it.</param>
/// <param name="Shape">[outputs, inputs]</param>
/// <param name="NestedMean">What was taken off the scales before they were rounded to bytes; null where they were not.</param>
internal sealed record FourBitState(string Type, int Block, string DType, long[] Shape, double? NestedMean)
{
    public const string KeyStart = "quant_state.bitsandbytes__";

    private const int NestedBlock = Nn.FourBit.FourBitFormat.NestedBlock;

    /// <summary>What is added to the scales.</summary>
    public double Mean => NestedMean ?? 0;

    public long Count => Shape[0] * Shape[1];

    /// <summary>How many scales it has.</summary>
    public long Scales => (Count + Block - 1) / Block;

    /// <summary>How many of their own these have.</summary>
    public long NestedScales => (Scales + NestedBlock - 1) / NestedBlock;

    /// <exception cref="FormatException">What is wrong, without file and key.</exception>
    public static FourBitState Read(ReadOnlySpan<byte> json)
    {
        Dictionary<string, object?> map;
        try
        {
            map = PythonJson.ReadObject(Encoding.UTF8.GetString(json));
        }
        catch (JsonException e)
        {
            throw new FormatException($"is not JSON in UTF-8 ({e.Message})", e);
        }

        var type = map.GetValueOrDefault("quant_type") as string;
        var shape = map.GetValueOrDefault("shape") as List<object?> ?? [];
        var dtype = map.GetValueOrDefault("dtype") as string ?? "float32";
        if (type is not ("nf4" or "fp4"))
        {
            throw new FormatException($"quant_type is {Show(map, "quant_type")}, not nf4 or fp4");
        }

        if (map.GetValueOrDefault("blocksize") is not (long and >= 32 and <= 4096 and var block) || (block & (block - 1)) != 0)
        {
            throw new FormatException($"blocksize is {Show(map, "blocksize")}, not a power of two from 32 to 4096");
        }

        if (shape is not [long and > 0 and var outputs, long and > 0 and var inputs])
        {
            throw new FormatException($"shape is {Show(map, "shape")}, not the two sizes of a matrix");
        }

        if (map.GetValueOrDefault("nested_blocksize") is not (null or (long)NestedBlock))
        {
            throw new FormatException($"nested_blocksize is {Show(map, "nested_blocksize")}, not {NestedBlock}");
        }

        return new FourBitState(type, (int)block, dtype, [outputs, inputs], map.ContainsKey("nested_blocksize") ? Real(map, "nested_offset") : null);
    }

    /// <summary>As bitsandbytes writes it.</summary>
    public byte[] Write()
    {
        List<KeyValuePair<string, object?>> pairs =
        [
            new("quant_type", Type), new("blocksize", Block), new("dtype", DType), new("shape", Shape),
        ];
        if (NestedMean is { } mean)
        {
            pairs.AddRange([new("nested_blocksize", NestedBlock), new("nested_dtype", "float32"), new("nested_offset", mean)]);
        }

        return Encoding.UTF8.GetBytes(PythonJson.Line(pairs));
    }

    private static double Real(Dictionary<string, object?> map, string key) => map.GetValueOrDefault(key) switch
    {
        double real when double.IsFinite(real) => real,
        long whole => whole,
        _ => throw new FormatException($"{key} is {Show(map, key)}, not a number"),
    };

    private static string Show(Dictionary<string, object?> map, string key) => map.TryGetValue(key, out var value) ? PythonJson.Line(value) : "missing";
}
