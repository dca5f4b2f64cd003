using System.Text.Json;
using Fovea.Data.Tokenizers;

namespace Fovea.Tests.Unit.Tokenizers;

/// <summary>Expressions that have no scanner, cut by .NET's engine.</summary>
public sealed class GeneralPatternTests
{
    private static readonly string[] Known = [.. PiecePattern.Expressions];

    public static TheoryData<int> Rows => [.. Enumerable.Range(0, Golden().Count)];

    public static TheoryData<string> Scanned => [.. Known];

    // regexes.jsonl.gz: random texts cut by Hugging Face tokenizers (make_regex_golden.py).
    [Theory]
    [MemberData(nameof(Rows))]
    public void Texts_fall_into_the_pieces_that_tokenizers_cuts(int line)
    {
        using var golden = JsonDocument.Parse(Golden()[line]);
        var expression = golden.RootElement.GetProperty("expression").GetString()!;
        var pattern = GeneralPattern.Of(expression);
        foreach (var row in golden.RootElement.GetProperty("rows").EnumerateArray())
        {
            var (text, behavior, invert) = (row[0].GetString()!, row[1].GetString()!, row[2].GetBoolean());
            var way = Enum.Parse<SplitBehavior>(behavior.Replace("_", string.Empty, StringComparison.Ordinal), ignoreCase: true);
            var splitter = new RegexPreTokenizer(pattern, way, invert, null!);
            var pieces = splitter.Pieces(text).Select(part => text[part.Start..part.End]);
            Assert.True(row[3].EnumerateArray().Select(piece => piece.GetString()).SequenceEqual(pieces),
                $"{expression}, {behavior}, {invert}, {JsonSerializer.Serialize(text)}: {row[3]} and {JsonSerializer.Serialize(pieces)}");
        }
    }

    [Theory]
    [MemberData(nameof(Scanned))]
    public void The_scanner_of_a_known_expression_and_the_general_engine_cut_alike(string expression)
    {
        var (scanner, general) = (PiecePattern.Find(expression)!, GeneralPattern.Of(expression));
        foreach (var text in SplitGolden.Rows().Select(row => row.GetProperty("text").GetString()!).Append(Everything()).Where(text => text.Length > 0))
        {
            var parts = general.Cut(text);
            Assert.All(parts, part => Assert.True(part.Match));
            var at = 0;
            foreach (var (start, end, _) in parts)
            {
                Assert.Equal((at, at + scanner.MatchLength(text.AsSpan(at))), (start, end));
                at = end;
            }

            Assert.Equal(text.Length, at);
        }
    }

    [Theory]
    [InlineData(@"\p{Han}+", @"the property \p{Han}")]
    [InlineData(@"\pL", "a property without braces")]
    [InlineData("[a-z&&[^x]]", "&&")]
    [InlineData("[a[bc]]", "a set within a set")]
    [InlineData("[[:alpha:]]", "a set within a set")]
    [InlineData("[]a]", "a set that begins with ]")]
    [InlineData("😀", "beyond U+FFFF")]
    [InlineData(@"\x{1F600}", "beyond U+FFFF")]
    [InlineData(@"(a)\1", @"\1")]
    [InlineData("(?<n>a)", "(?<n")]
    [InlineData("(?x: a)", "(?x:")]
    [InlineData(@"a\Kb", @"\K")]
    [InlineData(@"\h", @"\h")]
    [InlineData(@"\xff", "a byte of a character")]
    [InlineData("a{2}?", "{2}?")]
    [InlineData("a**", "another quantifier")]
    [InlineData("^*", "after a position")]
    [InlineData("a{x}", "no number of repetitions")]
    [InlineData("+a", "nothing to repeat")]
    [InlineData("(a", "not closed")]
    [InlineData("a)", "closes no group")]
    [InlineData("[a", "not closed")]
    [InlineData("[z-a]", "runs backwards")]
    [InlineData("(?i:ss)", "without regard to case")]
    [InlineData("(?i:é)", "without regard to case")]
    [InlineData(@"(?i)\p{Lu}", "without regard to case")]
    [InlineData(@"[\W_]", "a complement")]
    [InlineData(@"a\", "a backslash at the end")]
    [InlineData(@"[\x{80}-\x{ffff}]", "which is no character,every character below U+10000")]
    public void What_has_no_equal_in_the_engine_is_rejected_with_its_name(string expression, string words)
    {
        var problem = Assert.Throws<FormatException>(() => GeneralPattern.Of(expression)).Message;

        Assert.Contains(words.Split(','), word => problem.Contains(word, StringComparison.Ordinal));
    }

    [Fact]
    public void Groups_nested_without_end_are_rejected() =>
        Assert.Throws<FormatException>(() => GeneralPattern.Of(new string('(', 100_000) + new string(')', 100_000)));

    [Fact]
    public void An_expression_that_tries_every_way_is_stopped_and_named()
    {
        var pattern = GeneralPattern.Of("(a|aa)+[^a]b", TimeSpan.FromMilliseconds(50));

        var problem = Assert.Throws<PatternTimeoutException>(() => pattern.Cut(new string('a', 5000) + "!!b"));

        Assert.Contains("(a|aa)+[^a]b", problem.Message, StringComparison.Ordinal);
        Assert.Contains("5003 characters", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tokenizer_with_an_expression_of_its_own_loads_splits_and_says_so()
    {
        var tokenizer = TinyTokenizer.Load(
            ["a", "b", "1", "ab", "b1"], """[["a", "b"], ["b", "1"]]""",
            parts: """{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\p{N}+"}, "behavior": "Isolated", "invert": false}}""");

        Assert.Equal([3, 2, 3], tokenizer.Encode("ab1ab"));
        Assert.Contains(@"\p{N}+", Assert.Single(tokenizer.Notices), StringComparison.Ordinal);
        Assert.True(tokenizer.SplitsByRegex);
    }

    private static IReadOnlyList<string> Golden() => TestFiles.GoldenLines("tokenizer/regexes.jsonl.gz");

    /// <summary>Every code point but surrogates, each between a letter and a digit, a space and a sign.</summary>
    private static string Everything() => string.Concat(Enumerable.Range(1, 0x10FFFF).Where(code => code is < 0xD800 or > 0xDFFF)
        .Select(code => "x1 -"[code % 4] + char.ConvertFromUtf32(code)));
}
