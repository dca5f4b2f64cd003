using Fovea.Generation.Sampling;

namespace Fovea.Tests.Unit.Generation;

/// <summary>Answers end before stop strings.</summary>
public sealed class StopTextTests
{
    [Theory]
    [InlineData("one two STOP three", "one two ", new[] { "STOP" })]
    [InlineData("a\n\nb", "a", new[] { "\n\n", "b" })]
    [InlineData("xaab", "x", new[] { "aab" })]
    [InlineData("xaaab", "xa", new[] { "aab" })]
    [InlineData("ababac", "ab", new[] { "abac" })]
    [InlineData("she sells", "s", new[] { "he", "sells" })]
    [InlineData("she", "", new[] { "he", "she" })]
    [InlineData("nothing of it ST", "nothing of it ST", new[] { "STOP" })]
    [InlineData("好的。👍🏽完", "好的。", new[] { "👍🏽" })]
    [InlineData("", "", new[] { "x" })]
    [InlineData("plain", "plain", new string[0])]
    public void However_a_text_comes_it_ends_before_the_first_stop_string(string text, string expected, string[] stops)
    {
        var runes = text.EnumerateRunes().Select(rune => rune.ToString()).ToArray();
        for (var cuts = 0; cuts < 1 << Math.Max(0, Math.Min(runes.Length, 13) - 1); cuts++)
        {
            var stop = new StopText(stops);
            var given = string.Empty;
            var piece = string.Empty;
            for (var i = 0; i < runes.Length && !stop.Ended; i++)
            {
                piece += runes[i];
                if (((cuts >> i) & 1) == 1 || i == runes.Length - 1)
                {
                    given += stop.Push(piece);
                    Assert.StartsWith(given, expected, StringComparison.Ordinal);
                    piece = string.Empty;
                }
            }

            Assert.Equal(expected != text, stop.Ended);
            Assert.Equal(expected, given + stop.Flush());
        }
    }

    [Fact]
    public void A_stop_string_counts_only_once_the_answer_is_long_enough()
    {
        var stop = new StopText(["ab"]);
        Assert.Equal("ab a", stop.Push("ab a", look: false));
        Assert.Equal("b ", stop.Push("b a"));
        Assert.Equal(string.Empty, stop.Push("b"));
        Assert.True(stop.Ended);
        Assert.Equal(string.Empty, stop.Push("more"));
    }
}
