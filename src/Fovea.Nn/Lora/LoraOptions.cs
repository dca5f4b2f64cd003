using System.Text.RegularExpressions;

namespace Fovea.Nn.Lora;

/// <summary>Low-rank adaptation (arXiv 2106.09685) as PEFT names its settings.</summary>
internal sealed record LoraOptions
{
    /// <summary>r: width of the adapter.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>The update is scaled by alpha / r, or alpha / sqrt(r) with <see cref="RankStabilized"/>.</summary>
    public double Alpha { get; init; } = 16;

    /// <summary>Probability with which an input of the adapter is dropped in training, in [0, 1).</summary>
    public double Dropout { get; init; }

    /// <summary>arXiv 2312.03732.</summary>
    public bool RankStabilized { get; init; }

    public double Scale => RankStabilized ? Alpha / Math.Sqrt(Rank) : Alpha / Rank;

    /// <summary>Of A and B; experts' have the ranks of all of them, the rows of A expert by expert.</summary>
    public (long[] A, long[] B) ShapesFor(Adaptable target) => ([Rank * target.Matrices, target.Inputs], [target.Outputs, Rank * target.Matrices]);

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
}
