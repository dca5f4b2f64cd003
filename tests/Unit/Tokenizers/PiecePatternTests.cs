using Fovea.Data.Tokenizers;

namespace Fovea.Tests.Unit.Tokenizers;

public sealed class PiecePatternTests
{
    private const string Head = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|";
    private const string Tail = @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    [Theory]
    [InlineData("qwen2", Head + @"\p{N}" + Tail)]
    [InlineData("llama3", Head + @"\p{N}{1,3}" + Tail)]
    [InlineData("gpt2", @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")]
    public void Random_texts_fall_into_the_pieces_that_Oniguruma_cuts(string name, string expression)
    {
        var pattern = PiecePattern.Find(expression);
        Assert.NotNull(pattern);
        foreach (var row in SplitGolden.Rows())
        {
            var expected = row.GetProperty(name).EnumerateArray().Select(p => p.GetString()!);
            Assert.Equal(expected, Pieces(pattern, row.GetProperty("text").GetString()!));
        }
    }

    [Fact]
    public void An_expression_that_is_not_known_has_no_matcher() => Assert.Null(PiecePattern.Find(@"\w+"));

    private static List<string> Pieces(PiecePattern pattern, string text)
    {
        var pieces = new List<string>();
        for (var at = 0; at < text.Length; at += pieces[^1].Length)
        {
            pieces.Add(text.Substring(at, pattern.MatchLength(text.AsSpan(at))));
        }

        return pieces;
    }
}
