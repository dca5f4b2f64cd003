namespace Fovea.Evaluation;

/// <summary>
/// The 95 % interval of a share of right answers (E. B. Wilson, JASA 1927): within 0 and 1, and of use also where all or none are right.
/// </summary>
/// <param name="Low">Lower end, 0 to 1.</param>
/// <param name="High">Upper end, 0 to 1.</param>
internal readonly record struct WilsonInterval(double Low, double High)
{
    private const double Deviations = 1.959963984540054;

    /// <param name="right">How many are right.</param>
    /// <param name="all">Of how many; at least 1.</param>
    public static WilsonInterval Of(int right, int all)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(all, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)right, (uint)all);
        var (share, square) = ((double)right / all, Deviations * Deviations);
        var middle = (share + (square / (2 * all))) / (1 + (square / all));
        var half = Deviations * Math.Sqrt((share * (1 - share) / all) + (square / (4.0 * all * all))) / (1 + (square / all));
        return new WilsonInterval(right == 0 ? 0 : middle - half, right == all ? 1 : middle + half);
    }
}
