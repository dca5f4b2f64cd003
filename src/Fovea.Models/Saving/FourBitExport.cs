using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Fovea.Files.Safetensors;
using Fovea.Nn;
using Fovea.Nn.FourBit;
using Fovea.Tensors;

namespace Fovea.Models.Saving;

/// <summary>
/// Writes a model's linears in bitsandbytes' 4 bits, as Transformers saves them. A weight is rounded once to learn what the file's header says of it, and again
/// when its bytes are written; no more than one is held in 4 bits.
/// </summary>
internal sealed class FourBitExport : IDisposable
{
    private readonly FourBitOptions options;
    private readonly HashSet<string> rounded;
    private readonly IReadOnlyList<string> skipped;
    private readonly FourBitFormat format;
    private (Parameter Weight, DType From, FourBitWeight Packed)? last;

    /// <exception cref="ConfigException">Nothing would be in 4 bits, or the list of modules is wrong.</exception>
    public FourBitExport(VisionLanguageModel model, ModelFamily family, FourBitOptions options)
    {
        this.options = options;
        var rule = ModelOptions.RuleOf(options, family.PartOf, family.Names);
        rounded = model.Ledger.Linears.Select(linear => linear.Weight.Name).Where(rule).ToHashSet(StringComparer.Ordinal);
        if (rounded.Count == 0)
        {
            throw new ConfigException($"{SkippedModules.Key} leaves no linear layer to be written in 4 bits");
        }

        // Whatever is a matrix, since a program that reads the model may have a linear layer where this one has none.
        skipped = SkippedModules.For(
            [.. model.Ledger.Parameters.Where(p => p.Shape.Length == 2 && !rounded.Contains(p.Name) && !IsTable(p)).Select(p => ModelOptions.ModuleOf(p.Name))],
            [.. rounded.Select(ModelOptions.ModuleOf)], family.Names);
        skipped = [.. skipped.Union(SkippedModules.Usual)];
        format = new FourBitFormat(options, Device.Cpu);
    }

    /// <summary>How many linears are in 4 bits.</summary>
    public int Count => rounded.Count;

    /// <param name="weight">The ledger's name.</param>
    public bool Rounds(string weight) => rounded.Contains(weight);

    /// <summary>No fewer bytes than a file has of a rounded weight, and all but a few of them.</summary>
    public long Bytes(long elements)
    {
        const int state = 256, map = 256 * sizeof(float);
        var scales = (elements + format.Block - 1) / format.Block;
        var nested = (scales + FourBitFormat.NestedBlock - 1) / FourBitFormat.NestedBlock;
        return ((elements + 1) / 2) + (options.DoubleQuantization ? scales + (nested * sizeof(float)) + map : scales * sizeof(float))
            + (format.Codes.Length * sizeof(float)) + state;
    }

    /// <summary>What a file has of a weight, its bytes under its own name.</summary>
    /// <param name="name">In the file.</param>
    /// <param name="from">Element type to which the weight is brought first.</param>
    public IEnumerable<TensorSource> Sources(string name, Parameter weight, DType from)
    {
        var packed = Pack(weight, from);
        var state = new FourBitState(
            options.Type == FourBitType.Nf4 ? "nf4" : "fp4", format.Block, TorchName(from), weight.Shape, packed.Nested is null ? null : packed.Mean);
        yield return new TensorSource(name, DType.U8, [packed.Bytes.Count, 1], stream => Write(stream, Pack(weight, from).Bytes));
        yield return new TensorSource($"{name}.absmax", packed.Scales.DType, packed.Scales.Shape, stream => Write(stream, Pack(weight, from).Scales));
        if (packed.Nested is { } nested)
        {
            yield return Floats($"{name}.nested_absmax", nested.ToArray<float>());
            yield return Floats($"{name}.nested_quant_map", format.Scales!);
        }

        yield return Floats($"{name}.quant_map", format.Codes);
        var json = state.Write();
        yield return TensorSource.FromBytes($"{name}.{FourBitState.KeyStart}{state.Type}", DType.U8, [json.Length], json);
    }

    /// <summary>Says in a config.json what was done.</summary>
    /// <param name="computes">Element type of the weights in 16 bits.</param>
    public void Describe(JsonObject root, DType computes) => root["quantization_config"] = new JsonObject
    {
        ["_load_in_4bit"] = true,
        ["_load_in_8bit"] = false,
        ["bnb_4bit_compute_dtype"] = TorchName(computes),
        ["bnb_4bit_quant_storage"] = "uint8",
        ["bnb_4bit_quant_type"] = options.Type == FourBitType.Nf4 ? "nf4" : "fp4",
        ["bnb_4bit_use_double_quant"] = options.DoubleQuantization,
        ["llm_int8_enable_fp32_cpu_offload"] = false,
        ["llm_int8_has_fp16_weight"] = false,
        ["llm_int8_skip_modules"] = new JsonArray([.. skipped.Select(entry => JsonValue.Create(entry))]),
        ["llm_int8_threshold"] = 6.0m, // a decimal is written as 6.0; Transformers rejects 6
        ["load_in_4bit"] = true,
        ["load_in_8bit"] = false,
        ["quant_method"] = "bitsandbytes",
    };

    public void Dispose()
    {
        Forget();
        format.Dispose();
    }

    internal static string TorchName(DType type) => type switch
    {
        DType.F32 => "float32",
        DType.BF16 => "bfloat16",
        DType.F16 => "float16",
        _ => throw new ArgumentException($"no model is stored as {type}"),
    };

    private static bool IsTable(Parameter weight) => weight.Block?.Kind == BlockKind.Lookup;

    private static TensorSource Floats(string name, float[] values) =>
        TensorSource.FromBytes(name, DType.F32, [values.Length], MemoryMarshal.AsBytes<float>(values).ToArray());

    private static void Write(Stream stream, Tensor value)
    {
        using var scope = TensorScope.Open("weight");
        TensorBytes.Source(string.Empty, value).WriteTo(stream);
    }

    private FourBitWeight Pack(Parameter weight, DType from)
    {
        if (last is { } known && known.Weight == weight && known.From == from)
        {
            return known.Packed;
        }

        Forget();
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("weight");
        using var whole = weight.Whole();
        var packed = FourBitWeight.Pack(whole.Value.Detach().To(from), format);
        last = (weight, from, packed);
        return packed;
    }

    private void Forget()
    {
        foreach (var tensor in last?.Packed.Tensors ?? [])
        {
            tensor.Dispose();
        }

        last = null;
    }
}
