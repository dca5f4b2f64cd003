namespace Fovea.Bench;

/// <summary>One product by every kernel that fits its type.</summary>
/// <param name="Type">fp32, bf16 or fp16.</param>
/// <param name="Shape">Rows x inner x columns of the layer.</param>
/// <param name="Form">Forward, InputGradient or WeightGradient.</param>
/// <param name="Rates">GFLOP/s by kernel, medians.</param>
/// <param name="Best">GFLOP/s by kernel, best rounds.</param>
internal sealed record ProductRow(
    string Type, string Shape, string Form, IReadOnlyDictionary<string, double> Rates, IReadOnlyDictionary<string, double> Best);
