using Fovea.Data.Tokenizers;

namespace Fovea.Tests.Unit.Tokenizers;

public sealed class AddedTokenTests
{
    private static readonly string[] Vocabulary = ["a", "b", " ", "x", "<"];

    [Fact]
    public void The_longest_token_at_the_leftmost_place_wins()
    {
        var tokenizer = Load("""
            {"id": 10, "content": "<x", "special": true}, {"id": 11, "content": "<xx>", "special": true}, {"id": 12, "content": "x", "special": true}
            """);
        // The vocabulary's id of x wins over the 12 written beside it.
        Assert.Equal([11, 10, 3, 0, 3, 4], tokenizer.Encode("<xx><xxax<"));
    }

    [Fact]
    public void White_space_on_either_side_is_taken_as_the_flags_say()
    {
        Assert.Equal([0, 2, 10, 2, 1], Load("""{"id": 10, "content": "<x>"}""").Encode("a <x> b"));
        Assert.Equal([0, 10, 2, 1], Load("""{"id": 10, "content": "<x>", "lstrip": true}""").Encode("a  <x> b"));
        Assert.Equal([0, 2, 10, 1], Load("""{"id": 10, "content": "<x>", "rstrip": true}""").Encode("a <x>  b"));
        Assert.Equal([10, 10], Load("""{"id": 10, "content": "<x>", "rstrip": true, "lstrip": true}""").Encode(" <x>  <x> "));
    }

    [Fact]
    public void A_single_word_token_is_not_found_inside_a_word()
    {
        var tokenizer = Load("""{"id": 10, "content": "ab", "single_word": true}""");
        Assert.Equal([10, 2, 0, 1, 0, 2, 10], tokenizer.Encode("ab aba ab"));
    }

    [Fact]
    public void Only_normalized_tokens_are_looked_for_in_normalised_text()
    {
        const string lower = """, "normalizer": {"type": "Lowercase"}""";
        Assert.Equal([10, 10], Load("""{"id": 10, "content": "AB", "normalized": true}""", lower).Encode("abAB"));
        Assert.Equal([0, 1, 10], Load("""{"id": 10, "content": "AB", "normalized": false}""", lower).Encode("abAB"));
    }

    [Fact]
    public void Each_segment_between_tokens_gets_its_own_prefix()
    {
        var tokenizer = TinyTokenizer.Load(["▁", "a"], parts: """
            {"normalizer": {"type": "Prepend", "prepend": "▁"}, "added_tokens": [{"id": 2, "content": "<s>", "special": true}]}
            """);
        Assert.Equal([0, 1, 2, 0, 1], tokenizer.Encode("a<s>a"));
    }

    [Fact]
    public void Special_tokens_are_left_out_of_text_on_request_and_others_are_not()
    {
        var tokenizer = Load("""{"id": 10, "content": "<s>", "special": true}, {"id": 11, "content": "<t>", "special": false}""");
        Assert.Equal("a <s> <t>", tokenizer.Decode([0, 10, 11]));
        Assert.Equal("a <t>", tokenizer.Decode([0, 10, 11], skipSpecialTokens: true));
        Assert.True(tokenizer.IsSpecial(10));
        Assert.False(tokenizer.IsSpecial(11));
        Assert.False(tokenizer.IsSpecial(0));
    }

    [Fact]
    public void Names_ids_and_counts_include_added_tokens()
    {
        var tokenizer = Load("""{"id": 0, "content": "a"}, {"id": 10, "content": "<s>", "special": true}""");
        Assert.Equal(6, tokenizer.VocabularySize);
        Assert.Equal(10, tokenizer.IdOf("<s>"));
        Assert.Equal(3, tokenizer.IdOf("x"));
        Assert.Null(tokenizer.IdOf("nothing"));
        Assert.Equal("<s>", tokenizer.TokenOf(10));
        Assert.Null(tokenizer.TokenOf(9));
        Assert.Null(tokenizer.TokenOf(-1));
    }

    [Fact]
    public void The_settings_beside_the_file_name_the_tokens_and_add_missing_ones()
    {
        var tokenizer = TinyTokenizer.Load(Vocabulary, settings: """
            {"eos_token": {"content": "<e>"}, "pad_token": "<p>", "bos_token": null,
             "chat_template": [{"name": "tools", "template": "no"}, {"name": "default", "template": "yes"}],
             "added_tokens_decoder": {"7": {"content": "<e>", "special": true}}}
            """);
        Assert.Equal(("<e>", "<p>", null, "yes"), (tokenizer.EosToken, tokenizer.PadToken, tokenizer.BosToken, tokenizer.ChatTemplate));
        Assert.Equal([0, 7], tokenizer.Encode("a<e>"));
        Assert.True(tokenizer.IsSpecial(7));
    }

    private static Tokenizer Load(string added, string more = "") =>
        TinyTokenizer.Load(Vocabulary, parts: $$"""{"added_tokens": [{{added}}]{{more}}}""");
}
