namespace Fovea.Benchmarks;

/// <summary>Rows before a head of so many classes.</summary>
public sealed record HeadShape(int Rows, int Vocabulary, int Width)
{
    internal DType Type { get; init; }

    /// <summary>Of both products: logits, and the gradient of the rows.</summary>
    internal double Operations => 4.0 * Rows * Vocabulary * Width;

    public override string ToString() => $"{Rows}x{Vocabulary}x{Width}_{(Type == DType.F32 ? "fp32" : "bf16")}";
}
