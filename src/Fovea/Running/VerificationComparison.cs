using System.Globalization;

namespace Fovea.Running;

/// <summary>Compares what two sides said to the same rows, token by token.</summary>
internal sealed class VerificationComparison
{
    /// <summary>Most that log probabilities of fp32 may differ.</summary>
    internal const double ExactTolerance = 1e-4;

    /// <summary>Most that log probabilities may differ where a side computes in 16 bits, or in what is not known.</summary>
    internal const double HalfTolerance = 5e-2;

    /// <summary>Two tokens are as good as equally likely in 16 bits.</summary>
    internal const double NearTie = 1e-2;

    private const char Broken = '\uFFFD';
    private readonly VerifiedSide a;
    private readonly VerifiedSide b;
    private readonly bool exact;

    private VerificationComparison(VerifiedSide a, VerifiedSide b) => (this.a, this.b, exact) = (a, b, a.IsExact && b.IsExact);

    private double Tolerance => exact ? ExactTolerance : HalfTolerance;

    public static VerificationResult Of(VerifiedSide a, VerifiedSide b)
    {
        var comparison = new VerificationComparison(a, b);
        var rows = a.Answers.Zip(b.Answers, (x, y) => (x, y)).Select((pair, row) => comparison.Row(row + 1, pair.x, pair.y)).ToList();
        return new VerificationResult(a.Name, b.Name, comparison.Rule(), rows);
    }

    private string Rule()
    {
        var whole = b.Answers.Where(answer => answer.Problem is null).ToList();
        var ids = whole.TrueForAll(answer => answer.Prompt is not null);
        var textOnly = whole.Count(answer => answer.Tokens is null);
        var what = ids ? "prompts and tokens by their ids"
            : textOnly == 0 ? "tokens by their text (a server gives no ids, and its prompt is not seen)"
            : textOnly == whole.Count ? "texts alone (the server gives no tokens and no log probabilities)"
            : $"tokens by their text, {textOnly} answers by their whole text alone (the server gives no tokens for them)";
        var tolerance = Tolerance.ToString("0.####", CultureInfo.InvariantCulture);
        var types = $"A computes in {a.ElementType}, " + (b.ElementType is null ? "the server in what it does not say" : $"B in {b.ElementType}");
        return $"compared: {what}; log probabilities within {tolerance} ({types})"
            + (exact ? string.Empty : "; a row only up to the first token whose two largest log probabilities are within 0.01 (a near tie)");
    }

    private VerificationRow Row(int row, VerifiedAnswer x, VerifiedAnswer y)
    {
        if (x.Problem is not null || y.Problem is not null)
        {
            var what = x.Problem == y.Problem ? $"neither side answers: {x.Problem}"
                : string.Join("; ", new[] { Failed("A", x), Failed("B", y) }.Where(problem => problem.Length > 0));
            var outcome = x.Problem is not null && y.Problem is not null ? VerificationRow.Unanswered : VerificationRow.Different;
            return new VerificationRow(row, outcome, 0, 0, new VerificationDifference(what, null, string.Empty));
        }

        if (x.Prompt is not null && y.Prompt is not null && !x.Prompt.SequenceEqual(y.Prompt))
        {
            var same = x.Prompt.Zip(y.Prompt).TakeWhile(pair => pair.First == pair.Second).Count();
            return new VerificationRow(row, VerificationRow.Different, 0, 0, new VerificationDifference(
                $"the prompts differ from token {same + 1} on (template, system prompt, tokenizer or image size)", null, string.Empty)
            {
                TokenA = x.PromptText, TokenB = y.PromptText,
            });
        }

        return x.Tokens is not null && y.Tokens is not null ? Tokens(row, x, y) : Texts(row, x, y);
    }

    private static string Failed(string side, VerifiedAnswer answer) => answer.Problem is null ? string.Empty : $"{side} gives no answer: {answer.Problem}";

    private VerificationRow Tokens(int row, VerifiedAnswer x, VerifiedAnswer y)
    {
        var (left, right) = (All(x), All(y));
        var (largest, before) = (0.0, string.Empty);
        for (var i = 0; i < Math.Max(left.Count, right.Count); i++)
        {
            var (p, q) = (i < left.Count ? left[i] : null, i < right.Count ? right[i] : null);
            if (!exact && (p?.Gap <= NearTie || q?.Gap <= NearTie))
            {
                return new VerificationRow(row, VerificationRow.NearTie, i, largest);
            }

            // Whoever was cut off by the limit has nothing to say about the token after it; a server may keep the one that ends an answer to itself.
            if ((p is null && x.Ended != true) || (q is null && y.Ended != true))
            {
                var cut = p is null ? "A" : "B";
                return Different($"the answer of {cut} is shorter");
            }

            if (p is null || q is null)
            {
                if ((p ?? q)!.Id is null || !ReferenceEquals(p ?? q, p is null ? y.End : x.End))
                {
                    return Different($"the answer of {(p is null ? "A" : "B")} has ended");
                }

                break;
            }

            if (!Same(p, q))
            {
                return Different("other tokens");
            }

            if (p.Logprob is { } first && q.Logprob is { } second)
            {
                var difference = Math.Abs(first - second);
                largest = Math.Max(largest, difference);
                if (!(difference <= Tolerance))
                {
                    return Different("the same token with another probability");
                }
            }

            before += p.Text;

            VerificationRow Different(string what) => new(row, VerificationRow.Different, i, largest, new VerificationDifference(what, i + 1, before)
            {
                TokenA = p?.Text, TokenB = q?.Text, LogprobA = p?.Logprob, LogprobB = q?.Logprob,
            });
        }

        var tokens = Math.Min(left.Count, right.Count);
        return x.Text.Trim() == y.Text.Trim() ? new VerificationRow(row, VerificationRow.Equal, tokens, largest)
            : Texts(row, x, y) with { Tokens = tokens, LargestDifference = largest };
    }

    private static List<VerifiedToken> All(VerifiedAnswer answer) => [.. answer.Tokens!, .. answer.End is { } end ? new[] { end } : []];

    // Parts of a character have no text of their own; the whole text is compared as well.
    private static bool Same(VerifiedToken p, VerifiedToken q) => p.Id is { } first && q.Id is { } second
        ? first == second
        : p.Text.Contains(Broken, StringComparison.Ordinal) || q.Text.Contains(Broken, StringComparison.Ordinal)
            || p.Text.TrimStart(' ', '\u2581') == q.Text.TrimStart(' ', '\u2581');

    private static VerificationRow Texts(int row, VerifiedAnswer x, VerifiedAnswer y)
    {
        const int most = 40;
        var (first, second) = (x.Text.Trim(), y.Text.Trim());
        if (first == second && (x.Ended is null || y.Ended is null || x.Ended == y.Ended))
        {
            return new VerificationRow(row, VerificationRow.Equal, 0, 0);
        }

        var same = first.Zip(second).TakeWhile(pair => pair.First == pair.Second).Count();
        return new VerificationRow(row, VerificationRow.Different, 0, 0, new VerificationDifference(
            first == second ? "one side ended its answer, the other was cut off" : $"the texts differ after {same} characters: {Quoted(first[..same])}",
            null, first[..same])
        {
            TokenA = Start(first[same..]), TokenB = Start(second[same..]),
        });

        static string Start(string text) => text.Length <= most ? text : text[..most] + "...";

        static string Quoted(string text) => text.Length <= most ? text : "..." + text[^most..];
    }
}
