using System.Globalization;

namespace Fovea.Tensors;

/// <summary>Which kernels a new run multiplies with: what the environment says, or the fastest by measurement.</summary>
internal static class ProductPolicy
{
    /// <summary>For bf16 and fp16: library, widened, tiles, pairs, or rule for the rule by processor. Without it they are measured.</summary>
    public const string HalfVariable = "FOVEA_HALF_PRODUCTS";

    /// <summary>For fp32: library, tiles or rule.</summary>
    public const string FloatVariable = "FOVEA_FLOAT_PRODUCTS";

    /// <summary>The choice for this machine; types that are not asked for keep the rule by processor.</summary>
    /// <param name="folder">Where measurements are kept.</param>
    /// <param name="types">The element types that matter.</param>
    /// <exception cref="ConfigException">A variable asks for what does not exist or does not fit this processor.</exception>
    public static ProductDecision ForMachine(string folder, params ReadOnlySpan<DType> types)
    {
        var choice = ProductChoice.Rule;
        var reasons = new List<string>();
        foreach (var type in types)
        {
            string reason;
            if (FromEnvironment(type) is { } asked)
            {
                choice = choice.With(type, asked);
                reason = $"by {VariableOf(type)}";
            }
            else
            {
                var rates = new ProductMeasurements(folder).Of(type, out var measured);
                choice = choice.With(type, rates.Fastest(ProductChoice.Rule.Of(type)));
                reason = $"{Describe(rates, choice.Of(type))}, measured {(measured ? "now" : "before")}; {VariableOf(type)} takes precedence";
            }

            reasons.Add($"{ProductChoice.Types.First(known => known.Type == type).Name} products: {ProductChoice.NameOf(choice.Of(type))} ({reason})");
        }

        return new ProductDecision(choice, reasons);
    }

    /// <summary>The kernel that the environment asks for; null where it says nothing.</summary>
    /// <exception cref="ConfigException">It does not exist or does not fit this processor.</exception>
    public static ProductKernel? FromEnvironment(DType type)
    {
        var text = Environment.GetEnvironmentVariable(VariableOf(type));
        if (string.IsNullOrEmpty(text))
        {
            return null;
        }

        // One variable speaks for bf16 and fp16: our tiles exist for the former alone.
        var kernel = ProductChoice.KernelOf(text);
        if (text == "rule" || (type == DType.F16 && kernel is { } other && !ProductKernels.Fit(type, other) && ProductKernels.Fit(DType.BF16, other)))
        {
            return ProductChoice.Rule.Of(type);
        }

        var allowed = Enum.GetValues<ProductKernel>().Where(fit => ProductKernels.Fit(type, fit)).Select(ProductChoice.NameOf).Append("rule");
        return kernel is { } known && ProductKernels.Fit(type, known)
            ? known
            : throw new ConfigException($"{VariableOf(type)}={text}: on this processor it can be {string.Join(", ", allowed)}");
    }

    private static string Describe(ProductRates rates, ProductKernel chosen)
    {
        var others = rates.Gflops.Where(rate => rate.Key != chosen).Select(rate => $"{ProductChoice.NameOf(rate.Key)} {Rate(rate.Value)}");
        return $"{Rate(rates.Gflops[chosen])} GFLOP/s, {string.Join(", ", others)}";
    }

    private static string Rate(double rate) => rate == 0 ? "far less" : rate.ToString("0", CultureInfo.InvariantCulture);

    private static string VariableOf(DType type) => type == DType.F32 ? FloatVariable : HalfVariable;
}
