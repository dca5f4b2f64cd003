using System.Text.RegularExpressions;

namespace Fovea.Tests.Unit.Generation;

/// <summary>Answers that match regular expressions.</summary>
public sealed class RegexConstraintTests
{
    private static readonly ConstraintWalk[] Walks =
        [.. new[] { "qwen2_5_vl_tiny/model", "minicpm_v2/model" }.Select(folder => new ConstraintWalk(TestFiles.Golden(folder)))];

    /// <summary>Patterns; where .NET writes one otherwise, as it does.</summary>
    public static TheoryData<string, string?> Patterns => new()
    {
        { "yes|no|maybe", null }, { @"\d{3}-\d{4}", null }, { "[A-Z][a-z]{2,5}( [A-Z][a-z]+)*", null }, { "(?:ab|a)*c?", null },
        { @"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", null }, { @"\w+@\w+\.(com|org)", null }, { "[^a-z]+!", null }, { @"(\(([0-9a-f]{2})\)){2,4}", null },
        { "[一-龥]{1,4}。", null }, { "[äöüß]+|[α-ω]+", null }, { "[😀-🙏]+", "(?:\uD83D[\uDE00-\uDE4F])+" },
        { "a.c", @"a(?:[^\n\uD800-\uDFFF]|[\uD800-\uDBFF].)c" },
        { @"\S+(\s\S+){0,3}", null }, { @"^The answer is (?<letter>[A-D])\.$", null }, { "(a|b|)(c|)x", null }, { @"[\x41-\x43\u0064\-\]]+", null },
        { "((a{2}){3}b?){2}", null }, { "x*?y+?z??", null }, { @"{a}|\{1,2\}|a{,2}", null }, { "(a?){5}b", null }, { @"[\w.\-]+/[\d\s]*", null },
        { @"\A\W\D\z", @"(?:[\uD800-\uDBFF].|\W)(?:[\uD800-\uDBFF].|\D)" }, { "(a*|b)*", null }, { "((x|yy){1,3},){2}", null },
    };

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Random_answers_match(string pattern, string? reference)
    {
        var regex = new Regex($@"^(?:{reference ?? pattern})(?!\s|\S)", RegexOptions.ECMAScript);
        foreach (var walk in Walks)
        {
            var random = new Random(7);
            for (var i = 0; i < 15; i++)
            {
                var text = walk.Write(Constraint.Regex(pattern), random, loose: 12);
                Assert.True(regex.IsMatch(text), $"{text} does not match");
                walk.Read(Constraint.Regex(pattern), text, random);
            }
        }
    }

    [Theory]
    [InlineData("[0-9a-f]{8}", "0123abcd", true)]
    [InlineData("[0-9a-f]{8}", "0123abc", false)]
    [InlineData("[0-9a-f]{2,}", "0123abcdef", true)]
    [InlineData(".*", "a\nb", false)]
    [InlineData(".{3}", "好👍🏽", true)]
    [InlineData("[^x]", "\u07FF", true)]
    [InlineData("[^x]", "\uFFFF", true)]
    [InlineData("[^x]", "\U0010FFFF", true)]
    [InlineData(@"[\u{1F600}-\u{1F64F}]", "😁", true)]
    [InlineData(@"\ud83d\ude01", "😁", true)]
    [InlineData("(ab){0}c", "c", true)]
    [InlineData("(ab){0}c", "abc", false)]
    [InlineData("", "", true)]
    [InlineData("a|", "", true)]
    [InlineData(@"\s", "\u00a0", false)]
    [InlineData(@"\d", "\u0663", false)]
    public void Texts_match_or_do_not(string pattern, string text, bool matches) =>
        Assert.Equal(matches, ConstraintWalk.Takes(Constraint.Regex(pattern), text));

    [Theory]
    [InlineData("a(?=b)", "lookaround")]
    [InlineData("(?<!b)a", "lookaround")]
    [InlineData(@"(a)\1", "references")]
    [InlineData(@"(?<n>a)\k<n>", "references")]
    [InlineData(@"\bword", "word boundary")]
    [InlineData(@"\p{L}+", "categories")]
    [InlineData("a*+", "possessive")]
    [InlineData("a**", "quantifier")]
    [InlineData("*a", "nothing to repeat")]
    [InlineData("(a", "no end")]
    [InlineData("a)", "closes nothing")]
    [InlineData("[a", "no end")]
    [InlineData("[z-a]", "backwards")]
    [InlineData("a{3,2}", "at least more than at most")]
    [InlineData("(a^b)", "anchor")]
    [InlineData("a^b", "anchor")]
    [InlineData("(?i)a", "(?i")]
    [InlineData("[[:alpha:]]", "[:")]
    [InlineData(@"\q", @"\q")]
    [InlineData(@"a\", @"ends in a \")]
    [InlineData("(a{1000}){2000}b{2000000}", "too large")]
    [InlineData(@"[^\s\S]", "no finite text")]
    public void What_is_not_supported_is_refused_by_name(string pattern, string named) =>
        Assert.Contains(named, Assert.Throws<ConfigException>(() => ConstraintWalk.Takes(Constraint.Regex(pattern), "")).Message);
}
