using System.Collections.ObjectModel;
using System.Text.RegularExpressions;

namespace Fovea.Nn.Lora;

/// <summary>Low-rank adaptation (arXiv 2106.09685) as PEFT names its settings.</summary>
internal sealed record LoraOptions
{
    /// <summary>The largest rank.</summary>
    public const int MostRank = 65536;

    /// <summary>r: width of the adapter.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>The update is scaled by alpha / r, or alpha / sqrt(r) with <see cref="RankStabilized"/>.</summary>
    public double Alpha { get; init; } = 16;

    /// <summary>Probability with which an input of the adapter is dropped in training, in [0, 1).</summary>
    public double Dropout { get; init; }

    /// <summary>arXiv 2312.03732.</summary>
    public bool RankStabilized { get; init; }

    /// <summary>How the matrices of a fresh adapter begin.</summary>
    public LoraStart Start { get; init; } = LoraStart.Plain;

    /// <summary>Weight-decomposed (DoRA, arXiv 2402.09353): a magnitude for every row of the adapted weight learns too.</summary>
    public bool Decomposed { get; init; }

    /// <summary>Ranks of their own, by regular expressions for the ends of paths; of those that match a linear the first counts.</summary>
    public IReadOnlyDictionary<string, double> RankPattern { get; init; } = ReadOnlyDictionary<string, double>.Empty;

    /// <summary>Alphas of their own, by the same rule.</summary>
    public IReadOnlyDictionary<string, double> AlphaPattern { get; init; } = ReadOnlyDictionary<string, double>.Empty;

    /// <summary>Whether linears differ.</summary>
    public bool HasPatterns => RankPattern.Count > 0 || AlphaPattern.Count > 0;

    public double Scale => RankStabilized ? Alpha / Math.Sqrt(Rank) : Alpha / Rank;

    /// <summary>Of A and B; experts' have the ranks of all of them, the rows of A expert by expert.</summary>
    public (long[] A, long[] B) ShapesFor(Adaptable target) => ([Rank * target.Matrices, target.Inputs], [target.Outputs, Rank * target.Matrices]);

    /// <summary>What holds for one linear.</summary>
    /// <param name="spellings">Its path, as each of its spellings has it.</param>
    public LoraOptions For(params string[] spellings) => !HasPatterns ? this : this with
    {
        Rank = (int)(Found(RankPattern, spellings) ?? Rank),
        Alpha = Found(AlphaPattern, spellings) ?? Alpha,
        RankPattern = ReadOnlyDictionary<string, double>.Empty,
        AlphaPattern = ReadOnlyDictionary<string, double>.Empty,
    };

    /// <summary>What is wrong with a map of patterns; null where nothing is.</summary>
    /// <param name="name">What the map is called.</param>
    /// <param name="ranks">Whether its numbers are ranks, else alphas.</param>
    public static string? Problem(string name, IReadOnlyDictionary<string, double> map, bool ranks)
    {
        foreach (var (pattern, number) in map)
        {
            if (ranks ? number is < 1 or > MostRank || number != Math.Floor(number) : number <= 0)
            {
                return $"{name}: {pattern}: {number} must be {(ranks ? $"a whole number from 1 to {MostRank}" : "more than 0")}";
            }

            try
            {
                Regex.IsMatch(string.Empty, End(pattern), RegexOptions.CultureInvariant);
            }
            catch (RegexParseException e)
            {
                return $"{name}: the regular expression {pattern} is malformed: {e.Message}";
            }
        }

        return null;
    }

    /// <summary>PEFT's rule: a string is a regular expression for the whole path, a list names paths or their last parts.</summary>
    public static Func<string, bool> Matcher(string? pattern, IReadOnlyCollection<string>? names)
    {
        if (pattern is not null)
        {
            var whole = new Regex($"^(?:{pattern})$", RegexOptions.CultureInvariant);
            return path => whole.IsMatch(path);
        }

        return path => names!.Any(name => path == name || path.EndsWith($".{name}", StringComparison.Ordinal));
    }

    private static double? Found(IReadOnlyDictionary<string, double> map, string[] spellings)
    {
        foreach (var (pattern, number) in map)
        {
            if (spellings.Any(path => Regex.IsMatch(path, End(pattern), RegexOptions.CultureInvariant)))
            {
                return number;
            }
        }

        return null;
    }

    private static string End(string pattern) => $@"^(?:.*\.)?(?:{pattern})$";
}
