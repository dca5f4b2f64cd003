namespace Fovea.Tensors;

/// <summary>
/// A kernel for each element type. What a run multiplies with decides the last bits of its numbers, so a run keeps its choice to its end: it is written into
/// checkpoints as text.
/// </summary>
internal sealed record ProductChoice(ProductKernel Fp32, ProductKernel Bf16, ProductKernel Fp16)
{
    /// <summary>The types in the order of the text.</summary>
    public static IReadOnlyList<(string Name, DType Type)> Types { get; } = [("fp32", DType.F32), ("bf16", DType.BF16), ("fp16", DType.F16)];

    /// <summary>The rule by processor that holds where nobody chose: it needs no measurement, and earlier versions knew no other.</summary>
    public static ProductChoice Rule { get; } = InUse();

    /// <summary>What the process multiplies with now.</summary>
    public static ProductChoice InUse() => new(ProductKernels.Of(DType.F32), ProductKernels.Of(DType.BF16), ProductKernels.Of(DType.F16));

    public ProductKernel Of(DType type) => type == DType.F32 ? Fp32 : type == DType.BF16 ? Bf16 : Fp16;

    public ProductChoice With(DType type, ProductKernel kernel) =>
        type == DType.F32 ? this with { Fp32 = kernel } : type == DType.BF16 ? this with { Bf16 = kernel } : this with { Fp16 = kernel };

    /// <summary>Whether this processor has all of it.</summary>
    public bool Fits() => Types.All(type => ProductKernels.Fit(type.Type, Of(type.Type)));

    /// <summary>Multiplies with it from now on.</summary>
    public void Use()
    {
        foreach (var (_, type) in Types)
        {
            ProductKernels.Choose(type, Of(type));
        }
    }

    /// <summary>For instance <c>fp32 library, bf16 tiles, fp16 library</c>.</summary>
    public override string ToString() => string.Join(", ", Types.Select(type => $"{type.Name} {NameOf(Of(type.Type))}"));

    /// <summary>What <see cref="ToString"/> wrote.</summary>
    /// <returns>Null where the text is none of its own, for instance of a later version.</returns>
    public static ProductChoice? Parse(string text)
    {
        var parts = text.Split(", ");
        if (parts.Length != Types.Count)
        {
            return null;
        }

        var choice = Rule;
        foreach (var (part, (name, type)) in parts.Zip(Types))
        {
            if (!part.StartsWith($"{name} ", StringComparison.Ordinal) || KernelOf(part[(name.Length + 1)..]) is not { } kernel)
            {
                return null;
            }

            choice = choice.With(type, kernel);
        }

        return choice;
    }

    public static string NameOf(ProductKernel kernel) => kernel.ToString().ToLowerInvariant();

    public static ProductKernel? KernelOf(string name) =>
        Enum.GetValues<ProductKernel>().Where(kernel => NameOf(kernel) == name).Select(kernel => (ProductKernel?)kernel).FirstOrDefault();
}
