using Fovea.Data.Tokenizers;

namespace Fovea.Tests.Unit.Tokenizers;

/// <summary>Normalizers, pre-tokenizers, post-processors and decoders on tokenizers of a few tokens.</summary>
public sealed class PipelineTests
{
    private const string Metaspace = """{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "SCHEME", "split": true}""";

    [Theory]
    [InlineData("always", "a b<s>a", "▁ a ▁ b <s> ▁ a")]
    [InlineData("first", "a b<s>a", "▁ a ▁ b <s> a")]
    [InlineData("never", "a b<s>a", "a ▁ b <s> a")]
    [InlineData("first", " a", "▁ a")]
    public void Metaspace_prepends_by_its_scheme(string scheme, string text, string tokens)
    {
        var tokenizer = TinyTokenizer.Load(["▁", "a", "b"], parts: $$"""
            {"pre_tokenizer": {{Metaspace.Replace("SCHEME", scheme)}}, "added_tokens": [{"id": 3, "content": "<s>", "special": true}]}
            """);
        Assert.Equal(tokens.Split(' '), tokenizer.Encode(text).Select(id => tokenizer.TokenOf(id)!));
    }

    [Fact]
    public void Metaspace_splits_so_that_merges_do_not_cross_words()
    {
        string[] vocabulary = ["▁", "a", "a▁"];
        var split = """{"pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "never", "split": SPLIT}}""";
        Assert.Equal([1, 0, 1], TinyTokenizer.Load(vocabulary, """["a ▁"]""", parts: split.Replace("SPLIT", "true")).Encode("a a"));
        Assert.Equal([2, 1], TinyTokenizer.Load(vocabulary, """["a ▁"]""", parts: split.Replace("SPLIT", "false")).Encode("a a"));
    }

    [Fact]
    public void Digits_stand_by_themselves_or_in_runs()
    {
        string[] vocabulary = ["a", "1", "11", "a1"];
        const string merges = """["a 1", "1 1"]""";
        const string each = """{"pre_tokenizer": {"type": "Digits", "individual_digits": true}}""";
        const string runs = """{"pre_tokenizer": {"type": "Digits"}}""";
        Assert.Equal([0, 1, 1], TinyTokenizer.Load(vocabulary, merges, parts: each).Encode("a11"));
        Assert.Equal([0, 2], TinyTokenizer.Load(vocabulary, merges, parts: runs).Encode("a11"));
        Assert.Equal([3, 1], TinyTokenizer.Load(vocabulary, merges).Encode("a11"));
    }

    [Theory]
    [InlineData("Isolated", "a|- |b")]
    [InlineData("Removed", "a|b")]
    [InlineData("MergedWithPrevious", "a- |b")]
    [InlineData("MergedWithNext", "a|- b")]
    public void A_plain_string_splits_by_its_behavior(string behavior, string pieces)
    {
        string[] vocabulary = ["a", "- ", "b", "a- ", "- b", "-", " "];
        var tokenizer = TinyTokenizer.Load(vocabulary, modelOptions: """{"ignore_merges": true}""", parts: $$"""
            {"pre_tokenizer": {"type": "Split", "pattern": {"String": "- "}, "behavior": "{{behavior}}", "invert": false} }
            """);
        Assert.Equal(pieces.Split('|'), tokenizer.Encode("a- b").Select(id => tokenizer.TokenOf(id)!));
    }

    [Fact]
    public void Byte_level_puts_a_space_in_front_only_where_asked_and_none_is_there()
    {
        string[] vocabulary = ["Ġ", "a"];
        var tokenizer = TinyTokenizer.Load(vocabulary, parts: """{"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": true}}""");
        Assert.Equal([0, 1], tokenizer.Encode("a"));
        Assert.Equal([0, 1], tokenizer.Encode(" a"));
        tokenizer = TinyTokenizer.Load(vocabulary, parts: """{"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}}""");
        Assert.Equal([1], tokenizer.Encode("a"));
    }

    [Fact]
    public void The_template_is_applied_only_on_request()
    {
        var tokenizer = TinyTokenizer.Load(["a", "<s>", "</s>"], parts: """
            {"post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing",
              "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "</s>"}}],
              "special_tokens": {"<s>": {"id": "<s>", "ids": [1]}, "</s>": {"id": "</s>", "ids": [2]}}}]}}
            """);
        Assert.Equal([0], tokenizer.Encode("a"));
        Assert.Equal([1, 0, 2], tokenizer.Encode("a", addSpecialTokens: true));
    }

    [Fact]
    public void Normalizers_run_in_order()
    {
        var tokenizer = TinyTokenizer.Load(["a", "b", "_"], parts: """
            {"normalizer": {"type": "Sequence", "normalizers": [{"type": "Strip"}, {"type": "Lowercase"}, {"type": "Prepend", "prepend": "_"},
              {"type": "Replace", "pattern": {"String": "a"}, "content": "bb"}]}}
            """);
        Assert.Equal([2, 1, 1], tokenizer.Encode("  A "));
        Assert.Empty(tokenizer.Encode("   "));
    }

    [Fact]
    public void Fallback_bytes_become_text_or_one_replacement_character_each()
    {
        var tokenizer = Fallback();
        Assert.Equal("a é", tokenizer.Decode([0, 1, 0, 2, 3]));
        Assert.Equal("\uFFFDa", tokenizer.Decode([2, 1]));
        Assert.Equal("\uFFFD\uFFFD\uFFFD", tokenizer.Decode([2, 2, 3]));
    }

    [Fact]
    public void A_stream_over_fallback_bytes_waits_for_whole_characters()
    {
        var decoder = Fallback().NewStreamingDecoder();
        Assert.Equal(["", "a", " ", "", "é", " ", "a", ""], new[] { 0, 1, 0, 2, 3, 0, 1, 2 }.Select(decoder.Push));
        Assert.Equal("\uFFFD", decoder.Flush());
        Assert.Equal("", decoder.Push(0));
        Assert.Equal("a", decoder.Push(1));
        Assert.Equal("", decoder.Flush());
    }

    [Fact]
    public void Metaspace_text_has_no_space_at_the_start()
    {
        var tokenizer = TinyTokenizer.Load(["▁a", "▁b"], parts: """{"decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}}""");
        Assert.Equal("a b", tokenizer.Decode([0, 1]));
        var decoder = tokenizer.NewStreamingDecoder();
        Assert.Equal(["a", " b", " a"], new[] { 0, 1, 0 }.Select(decoder.Push));
    }

    [Fact]
    public void Word_suffixes_become_spaces_between_words()
    {
        var tokenizer = TinyTokenizer.Load(["a</w>", "b</w>"], parts: """{"decoder": {"type": "BPEDecoder", "suffix": "</w>"}}""");
        Assert.Equal("a b", tokenizer.Decode([0, 1]));
    }

    /// <summary>Llama's decoder.</summary>
    private static Tokenizer Fallback() => TinyTokenizer.Load(["▁", "a", "<0xC3>", "<0xA9>"], parts: """
        {"decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
          {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}}
        """);
}
