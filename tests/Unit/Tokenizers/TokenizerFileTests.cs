using Fovea.Data.Tokenizers;

namespace Fovea.Tests.Unit.Tokenizers;

public sealed class TokenizerFileTests
{
    private static readonly string[] Vocabulary = ["a", "b", "ab"];

    [Theory]
    [InlineData("""{"normalizer": {"type": "NFKC"}}""", "normalizer: type \"NFKC\" is not supported")]
    [InlineData("""{"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Bert"}]}}""", "normalizer.normalizers[1]: type \"Bert\"")]
    [InlineData("""{"pre_tokenizer": {"type": "Whitespace"}}""", "pre_tokenizer: type \"Whitespace\" is not supported")]
    [InlineData("""{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\p{Han}+"}, "behavior": "Isolated"}}""", "not supported: the property \\p{Han}")]
    [InlineData("""{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\w+"}, "behavior": "Merged"}}""", "\"Merged\" is none of Isolated, Removed,")]
    [InlineData("""{"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]}}""", "only supported as the last")]
    [InlineData("""{"pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "maybe"}}""", "\"maybe\" is none of always, first, never")]
    [InlineData("""{"post_processor": {"type": "BertProcessing"}}""", "post_processor: type \"BertProcessing\" is not supported")]
    [InlineData("""{"decoder": {"type": "CTC"}}""", "decoder: type \"CTC\" is not supported")]
    [InlineData("""{"decoder": {"type": "Replace", "pattern": {"Regex": "x"}, "content": ""}}""", "a plain {\"String\": ...} is")]
    [InlineData("""{"added_tokens": [{"content": "x"}]}""", "an object with \"id\" and \"content\" is expected")]
    public void An_unsupported_component_is_named_with_its_place(string parts, string expected)
    {
        var problem = Assert.Single(TinyTokenizer.ProblemsOf(TinyTokenizer.Json(Vocabulary, parts: parts)));
        Assert.Contains(expected, problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[]", """{"type": "Unigram"}""", "model: type \"Unigram\" is not supported")]
    [InlineData("[]", """{"unk_token": "?"}""", "unk_token \"?\" is not in the vocabulary")]
    [InlineData("[]", """{"dropout": 0.1}""", "dropout is not supported")]
    [InlineData("[]", """{"end_of_word_suffix": "</w>"}""", "end_of_word_suffix \"</w>\" is not supported")]
    [InlineData("""["a b", "b c"]""", "{}", "model.merges[1]: \"b\", \"c\" or both joined are not in model.vocab")]
    [InlineData("""["a b", "ab"]""", "{}", "model.merges[1]: \"a b\" or [\"a\", \"b\"] is expected")]
    [InlineData("""[["a", "b", "c"]]""", "{}", "model.merges[0]: \"a b\" or [\"a\", \"b\"] is expected")]
    [InlineData("""[["a", 7]]""", "{}", "model.merges[0]: \"a b\" or [\"a\", \"b\"] is expected")]
    public void A_damaged_model_is_refused_with_the_reason(string merges, string options, string expected) =>
        Assert.Contains(TinyTokenizer.ProblemsOf(TinyTokenizer.Json(Vocabulary, merges, options)), p => p.Contains(expected, StringComparison.Ordinal));

    [Theory]
    [InlineData("", "not a valid tokenizer.json")]
    [InlineData("[1]", "a JSON object is expected")]
    [InlineData("{\"model\": {\"vocab\": {\"a\": 0", "not a valid tokenizer.json")]
    [InlineData("{}", "vocab and merges are missing")]
    [InlineData("{\"model\": 3}", "vocab and merges are missing")]
    [InlineData("{\"model\": {\"vocab\": {\"a\": -1}, \"merges\": []}}", "model.vocab[\"a\"]: an id of 0..")]
    [InlineData("{\"model\": {\"vocab\": {\"a\": 0, \"b\": 0}, \"merges\": []}}", "the id 0 of \"b\" belongs to another token too")]
    [InlineData("{\"model\": {\"vocab\": {\"a\": 0, \"a\": 1}, \"merges\": []}}", "the token \"a\" stands twice")]
    [InlineData("{\"model\": {\"vocab\": {\"\\ud800\": 0}, \"merges\": []}}", "not a valid tokenizer.json")]
    public void A_malformed_file_is_refused_with_the_reason(string json, string expected) =>
        Assert.Contains(TinyTokenizer.ProblemsOf(json), p => p.Contains(expected, StringComparison.Ordinal));

    [Fact]
    public void All_problems_are_told_at_once()
    {
        var problems = TinyTokenizer.ProblemsOf(TinyTokenizer.Json(Vocabulary, parts: """{"normalizer": {"type": "X"}, "decoder": {"type": "Y"}}"""));
        Assert.Equal(2, problems.Count);
    }

    [Fact]
    public void A_missing_file_is_named()
    {
        var problem = Assert.Throws<ConfigException>(() => Tokenizer.Load(Path.Combine(TestFiles.Root, "no-such-model")));
        Assert.Contains("no-such-model", problem.Message, StringComparison.Ordinal);
    }
}
