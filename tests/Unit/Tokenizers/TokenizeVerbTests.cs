using Fovea.Cli.Verbs;
using Fovea.Data.Tokenizers;

namespace Fovea.Tests.Unit.Tokenizers;

public sealed class TokenizeVerbTests
{
    private static readonly Tokenizer Tokenizer = Tokenizer.Load(TestFiles.Golden("minimind_c/tokenizer"));

    [Fact]
    public void Plain_and_json_lines_give_the_same_ids_and_come_back()
    {
        var plain = Encode("Hello world\n\n中文 \r\nlast");
        Assert.Equal(plain, Encode("{\"text\": \"Hello world\"}\n{\"text\": \"\"}\n{\"text\": \"中文 \"}\n\n{\"text\": \"last\"}\n"));
        Assert.Equal("{\"text\":\"Hello world\"}\n{\"text\":\"\"}\n{\"text\":\"中文 \"}\n{\"text\":\"last\"}\n", Decode(plain));
        Assert.Equal("Hello world\n\n中文 \nlast\n", Decode(plain, TokenizeVerb.Format.Plain));
    }

    [Fact]
    public void A_line_of_code_in_braces_is_plain_text() => Assert.Equal(Encode("{ x }", TokenizeVerb.Format.Plain), Encode("{ x }"));

    [Theory]
    [InlineData("{\"text\": \"a\"}\n{\"txt\": 1}", "rows, line 2: the object has no \"text\"")]
    [InlineData("{\"text\": 5}", "rows, line 1: \"text\" is a number, not a string")]
    [InlineData("{\"text\": \"a\"}\n[1]", "rows, line 2: a JSON array instead of an object")]
    [InlineData("{\"text\": \"a\"}\n\n{\"text\": ", "rows, line 3: column 10 is not valid JSON")]
    [InlineData("{\"text\": \"\\ud800\"}", "rows, line 1: column 11, text holds half a surrogate pair")]
    public void A_bad_row_is_named_by_its_line(string rows, string expected) =>
        Assert.Contains(expected, Assert.Throws<ConfigException>(() => Encode(rows)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("[1]\n[1, x]", "rows, line 2: no JSON array of whole numbers")]
    [InlineData("[1.5]", "rows, line 1: no JSON array of whole numbers")]
    [InlineData("null", "rows, line 1: no JSON array of whole numbers")]
    [InlineData("[1, 99999999]", "rows, line 1: the id 99999999 is not in this tokenizer")]
    public void Bad_ids_are_named_by_their_line(string rows, string expected) =>
        Assert.Contains(expected, Assert.Throws<ConfigException>(() => Decode(rows)).Message, StringComparison.Ordinal);

    private static string Encode(string input, TokenizeVerb.Format format = TokenizeVerb.Format.Auto)
    {
        using var output = new StringWriter();
        TokenizeVerb.Encode(Tokenizer, new StringReader(input), output, "rows", addSpecialTokens: false, format);
        return output.ToString();
    }

    private static string Decode(string input, TokenizeVerb.Format format = TokenizeVerb.Format.Auto)
    {
        using var output = new StringWriter();
        TokenizeVerb.Decode(Tokenizer, new StringReader(input), output, "rows", skipSpecialTokens: false, format);
        return output.ToString();
    }
}
