namespace Fovea.Bench;

/// <summary>How fast each kernel multiplies matrices, beside what the processor's vector units reach in registers alone. Rates are GFLOP/s.</summary>
internal sealed record ProductResult
{
    public string Commit { get; } = Machine.Commit;

    public string Hardware { get; } = Machine.Describe();

    public required string Libtorch { get; init; }

    public required int Threads { get; init; }

    /// <summary>fp32 multiply-adds in registers, best of all rounds.</summary>
    public required double PeakFp32 { get; init; }

    /// <summary>The same of bf16 pairs; 0 where the processor has none.</summary>
    public required double PeakPairs { get; init; }

    /// <summary>What a new run would use here.</summary>
    public required string Chosen { get; init; }

    public required IReadOnlyList<ProductRow> Rows { get; init; }
}
