using System.Globalization;

namespace Fovea.Keys;

/// <summary>The allowed range of a number in the configuration. Infinite ends are open.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class BoundsAttribute(double min = double.NegativeInfinity, double max = double.PositiveInfinity) : Attribute
{
    /// <summary>The lower end itself is not allowed.</summary>
    public bool AboveMin { get; init; }

    /// <summary>The upper end itself is not allowed.</summary>
    public bool BelowMax { get; init; }

    /// <summary>One value outside the range that is allowed too, for instance -1 for "not set".</summary>
    public double Or { get; init; } = double.NaN;

    public bool Allows(double value) =>
        value == Or || ((AboveMin ? value > min : value >= min) && (BelowMax ? value < max : value <= max));

    public override string ToString()
    {
        var lower = double.IsInfinity(min) ? null : AboveMin ? $"more than {Show(min)}" : $"at least {Show(min)}";
        var upper = double.IsInfinity(max) ? null : BelowMax ? $"less than {Show(max)}" : $"at most {Show(max)}";
        var range = string.Join(" and ", new[] { lower, upper }.Where(part => part is not null));
        return double.IsNaN(Or) ? range : $"{range}, or {Show(Or)}";
    }

    private static string Show(double value) => value.ToString("0.##########", CultureInfo.InvariantCulture);
}
