using Fovea.Data.Tokenizers;

namespace Fovea.Tests.Unit.Tokenizers;

public sealed class BpeModelTests
{
    private static readonly string[] Abc = ["a", "b", "c", "ab", "bc", "abc"];

    [Theory]
    [InlineData("""["a b", "ab c"]""")]
    [InlineData("""[["a", "b"], ["ab", "c"]]""")]
    public void Merges_are_read_as_strings_and_as_pairs(string merges) =>
        Assert.Equal([5, 3, 0, 5, 2], TinyTokenizer.Load(Abc, merges).Encode("abcabaabcc"));

    [Fact]
    public void The_lowest_rank_merges_first_and_then_the_leftmost()
    {
        Assert.Equal([0, 4], TinyTokenizer.Load(Abc, """["b c", "a b"]""").Encode("abc"));
        Assert.Equal([3, 2], TinyTokenizer.Load(Abc, """["a b", "b c"]""").Encode("abc"));
        Assert.Equal([2, 2, 0], TinyTokenizer.Load(["a", "b", "aa"], """["a a"]""").Encode("aaaaa"));
    }

    [Fact]
    public void A_merge_whose_left_part_holds_a_space_is_read_from_a_pair() =>
        Assert.Equal([2], TinyTokenizer.Load([" ", "x", " x"], """[[" ", "x"]]""").Encode(" x"));

    [Fact]
    public void A_whole_piece_in_the_vocabulary_needs_no_merges_where_they_are_ignored()
    {
        Assert.Equal([5], TinyTokenizer.Load(Abc, modelOptions: """{"ignore_merges": true}""").Encode("abc"));
        Assert.Equal([0, 1, 2], TinyTokenizer.Load(Abc).Encode("abc"));
    }

    [Fact]
    public void Unknown_characters_are_dropped_without_an_unknown_token()
        => Assert.Equal([0, 1], TinyTokenizer.Load(Abc).Encode("aé😀b"));

    [Fact]
    public void Unknown_characters_give_the_unknown_token_each_or_fused()
    {
        string[] vocabulary = ["<unk>", "a"];
        Assert.Equal([1, 0, 0, 1], TinyTokenizer.Load(vocabulary, modelOptions: """{"unk_token": "<unk>"}""").Encode("aé😀a"));
        Assert.Equal([1, 0, 1], TinyTokenizer.Load(vocabulary, modelOptions: """{"unk_token": "<unk>", "fuse_unk": true}""").Encode("aé😀a"));
    }

    [Fact]
    public void Unknown_characters_fall_back_to_their_bytes_where_all_are_there()
    {
        string[] vocabulary = ["<unk>", "a", "<0xC3>", "<0xA9>"];
        var tokenizer = TinyTokenizer.Load(vocabulary, modelOptions: """{"unk_token": "<unk>", "byte_fallback": true}""");
        Assert.Equal([1, 2, 3, 1], tokenizer.Encode("aéa"));
        Assert.Equal([1, 0, 1], tokenizer.Encode("aèa"));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(47)]
    [InlineData(48)]
    [InlineData(49)]
    [InlineData(1000)]
    public void Pieces_of_any_length_merge_as_the_plain_definition_says(int length)
    {
        string[] vocabulary = ["a", "b", "c", "ab", "ca", "abca", "aa", "aaaa", "bc", "cab", "abab"];
        (int, int)[] merges = [(0, 1), (2, 0), (3, 4), (0, 0), (6, 6), (1, 2), (2, 3), (3, 3)];
        var table = new MergeTable(4);
        for (var rank = 0; rank < merges.Length; rank++)
        {
            var (a, b) = merges[rank];
            table.Set(a, b, rank, Array.IndexOf(vocabulary, vocabulary[a] + vocabulary[b]));
        }

        var random = new Random(length);
        for (var round = 0; round < 50; round++)
        {
            var ids = Enumerable.Range(0, length).Select(_ => random.Next(3)).ToArray();
            var expected = Plain([.. ids], table);
            Assert.Equal(expected, ids.AsSpan(0, BpeMerger.Merge(ids, table)).ToArray());
        }
    }

    [Fact]
    public void A_long_piece_without_spaces_does_not_take_quadratic_time()
    {
        var tokenizer = Tokenizer.Load(TestFiles.Golden("minimind_c/tokenizer"));
        var watch = System.Diagnostics.Stopwatch.StartNew();
        var text = string.Concat(Enumerable.Repeat("abcdefghij", 40_000));
        Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        Assert.True(watch.Elapsed.TotalSeconds < 10, $"{text.Length} characters took {watch.Elapsed}");
    }

    private static List<int> Plain(List<int> ids, MergeTable table)
    {
        while (true)
        {
            var best = -1;
            for (var i = 0; i + 1 < ids.Count; i++)
            {
                var rank = table.Find(ids[i], ids[i + 1]).Rank;
                if (rank < (best < 0 ? int.MaxValue : table.Find(ids[best], ids[best + 1]).Rank))
                {
                    best = i;
                }
            }

            if (best < 0)
            {
                return ids;
            }

            ids[best] = table.Find(ids[best], ids[best + 1]).Id;
            ids.RemoveAt(best + 1);
        }
    }
}
