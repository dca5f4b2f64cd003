using Fovea.Running;

namespace Fovea.Tests.Unit.Library;

/// <summary>How answers of two sides are compared.</summary>
public sealed class VerificationComparisonTests
{
    private const string Half = "bf16";
    private const string Whole = "f32";

    [Fact]
    public void In_16_bits_a_row_counts_up_to_its_first_near_tie_and_in_fp32_to_its_end()
    {
        // The third place is a near tie on one side only; behind it all is different.
        var a = Answer(Token(1, -0.1, 2), Token(2, -0.2, 2), Token(3, -0.7, 0.5), Token(4, -0.1, 2));
        var b = Answer(Token(1, -0.12, 2), Token(2, -0.19, 2), Token(9, -0.7, 0.005), Token(8, -3, 2));
        foreach (var (first, second) in new[] { (a, b), (b, a) })
        {
            var tie = Compare(Half, first, Half, second);
            Assert.Equal((VerificationRow.NearTie, 2), (tie.Outcome, tie.Tokens));
            Assert.Equal(0.02, tie.LargestDifference, 1e-9);
            Assert.Null(tie.Difference);
            Assert.Equal(VerificationRow.NearTie, Compare(Whole, first, Half, second).Outcome);
            Assert.Equal(VerificationRow.NearTie, Compare(Whole, first, null, second).Outcome);
            Assert.Equal(VerificationRow.Different, Compare(Whole, first, Whole, second).Outcome);
        }

        var result = VerificationComparison.Of(Side(Half, a), Side(Half, b));
        Assert.Equal((0, 1, 0), (result.Equal, result.NearTies, result.Different));
        Assert.Contains("near tie", result.Rule, StringComparison.Ordinal);
        Assert.DoesNotContain("near tie", VerificationComparison.Of(Side(Whole, a), Side(Whole, a)).Rule, StringComparison.Ordinal);
    }

    [Fact]
    public void Before_a_near_tie_tokens_must_be_the_same_and_nearly_as_likely()
    {
        var a = Answer(Token(1, -0.1, 2), Token(2, -0.2, 2), Token(3, -0.7, 0.005));
        var other = Compare(Half, a, Half, Answer(Token(1, -0.1, 2), Token(5, -0.2, 2), Token(3, -0.7, 0.005)));
        Assert.Equal((VerificationRow.Different, 2, "other tokens"), (other.Outcome, other.Difference!.Step!.Value, other.Difference.What));
        var likely = Compare(Half, a, Half, Answer(Token(1, -0.1, 2), Token(2, -0.26, 2), Token(3, -0.7, 0.005)));
        var difference = likely.Difference!;
        Assert.Equal(("the same token with another probability", -0.2, -0.26), (difference.What, difference.LogprobA, difference.LogprobB));
        Assert.Equal(VerificationRow.NearTie, Compare(Half, a, Half, Answer(Token(1, -0.14, 2), Token(2, -0.24, 2), Token(3, -0.7, 0.005))).Outcome);
        Assert.Equal(VerificationRow.Different, Compare(Whole, a, Whole, Answer(Token(1, -0.1002, 2), Token(2, -0.2, 2), Token(3, -0.7, 0.005))).Outcome);
    }

    [Fact]
    public void What_is_no_number_is_a_difference_that_can_be_written()
    {
        var a = Answer(Token(1, -0.1, 2));
        var result = VerificationComparison.Of(Side(Half, a), Side(Half, Answer(Token(1, double.NaN, double.NaN))));
        Assert.Equal(1, result.Different);
        Assert.Contains("NaN", Fovea.Cli.Verbs.ResultFile.ToJson(result), StringComparison.Ordinal);
        Assert.Contains("log probability NaN", VerificationText.Of(result), StringComparison.Ordinal);
    }

    private static VerifiedToken Token(int id, double logprob, double gap) => new($"t{id}", id, logprob, gap);

    private static VerifiedAnswer Answer(params VerifiedToken[] tokens) => new()
    {
        Prompt = [1, 2], Tokens = tokens, Ended = false, Text = string.Concat(tokens.Select(token => token.Text)),
    };

    private static VerifiedSide Side(string? type, VerifiedAnswer answer) => new("side", type, [answer]);

    private static VerificationRow Compare(string? typeA, VerifiedAnswer a, string? typeB, VerifiedAnswer b) =>
        VerificationComparison.Of(Side(typeA, a), Side(typeB, b)).Rows[0];
}
