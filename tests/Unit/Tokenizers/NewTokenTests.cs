using System.Text;
using System.Text.Json.Nodes;
using Fovea.Data.Tokenizers;

namespace Fovea.Tests.Unit.Tokenizers;

/// <summary>A tokenizer that is given more tokens, and its files with them.</summary>
public sealed class NewTokenTests : IDisposable
{
    private static readonly string Folder = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly NewToken[] Tokens =
    [
        new("<loc1>", Special: true), new("w_rd", Special: false), new("<loc1>", Special: true), new("<|im_end|>", Special: true),
    ];

    private readonly string folder = Directory.CreateTempSubdirectory("fovea-tokens-").FullName;

    [Fact]
    public void New_tokens_are_numbered_behind_the_others_and_found_anywhere_in_a_text()
    {
        var known = Tokenizer.Load(Folder);
        var tokenizer = known.With(Tokens);
        Assert.Equal([known.LargestId + 1, known.LargestId + 2], [tokenizer.IdOf("<loc1>")!.Value, tokenizer.IdOf("w_rd")!.Value]);
        Assert.Equal(known.VocabularySize + 2, tokenizer.VocabularySize);
        Assert.Equal(known.IdOf("<|im_end|>"), tokenizer.IdOf("<|im_end|>"));
        int[] expected = [.. known.Encode("a "), tokenizer.IdOf("<loc1>")!.Value, .. known.Encode("b"), tokenizer.IdOf("w_rd")!.Value];
        Assert.Equal(expected, tokenizer.Encode("a <loc1>bw_rd"));
        Assert.Equal("a <loc1>bw_rd", tokenizer.Decode(expected));
        Assert.Equal("a bw_rd", tokenizer.Decode(expected, skipSpecialTokens: true));
        Assert.Same(known, known.With([]));
        Assert.Same(known, known.With([new("<|im_end|>", Special: true)]));
    }

    [Fact]
    public void A_word_of_the_vocabulary_keeps_its_id_and_is_no_longer_split()
    {
        var known = Tokenizer.Load(Folder);
        var word = Enumerable.Range(300, 1000).Select(id => known.TokenOf(id)!).First(token => token.Length > 2 && token.All(char.IsAsciiLetter));
        var tokenizer = known.With([new(word, Special: false)]);
        Assert.Equal(known.IdOf(word), tokenizer.IdOf(word));
        Assert.Contains(known.IdOf(word)!.Value, tokenizer.Encode($"x{word}x"));
        Assert.Equal(known.LargestId, tokenizer.LargestId);
    }

    [Fact]
    public void The_files_with_new_tokens_are_the_same_but_for_them_and_load_to_the_same_tokenizer()
    {
        var tokenizer = Tokenizer.Load(Folder).With(Tokens);
        AddedToken[] added = [tokenizer.Added("<loc1>")!, tokenizer.Added("w_rd")!];
        foreach (var path in Directory.GetFiles(Folder, "token*.json"))
        {
            File.WriteAllBytes(Path.Combine(folder, Path.GetFileName(path)), AddedTokenFiles.With(Path.GetFileName(path), File.ReadAllBytes(path), added));
        }

        var read = Tokenizer.Load(folder);
        Assert.Equal(tokenizer.Encode("a <loc1>bw_rd"), read.Encode("a <loc1>bw_rd"));
        Assert.Equal((tokenizer.VocabularySize, tokenizer.LargestId), (read.VocabularySize, read.LargestId));
        Assert.True(read.IsSpecial(added[0].Id));
        Assert.False(read.IsSpecial(added[1].Id));

        // Outside of the list not a byte differs; written again nothing is added.
        var (before, after) = (File.ReadAllBytes(Path.Combine(Folder, "tokenizer.json")), File.ReadAllBytes(Path.Combine(folder, "tokenizer.json")));
        var same = before.Zip(after).TakeWhile(pair => pair.First == pair.Second).Count();
        Assert.Equal(before[same..], after[^(before.Length - same)..]);
        Assert.Equal(after, AddedTokenFiles.With("tokenizer.json", after, added));
        Assert.Equal(AddedTokenFiles.Read(folder).Select(token => token.Content).TakeLast(2), added.Select(token => token.Content));
        var decoder = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer_config.json")))!["added_tokens_decoder"];
        Assert.True(decoder is null || (string?)decoder[$"{added[0].Id}"]!["content"] == "<loc1>");
    }

    [Fact]
    public void Lists_that_are_empty_and_old_files_take_tokens_too()
    {
        AddedToken[] added = [new(7, "<a>", true, false, false, false, false), new(8, "b\"", false, false, false, false, true)];
        var none = "{\"version\": \"1.0\", \"added_tokens\": [ ], \"model\": {}}"u8.ToArray();
        var text = Encoding.UTF8.GetString(AddedTokenFiles.With("tokenizer.json", none, added));
        Assert.Equal(["<a>", "b\""], JsonNode.Parse(text)!["added_tokens"]!.AsArray().Select(token => (string)token!["content"]!));
        var old = JsonNode.Parse(AddedTokenFiles.With("added_tokens.json", "{\"<old>\": 3}"u8.ToArray(), added))!;
        Assert.Equal((3, 7, 8), ((int)old["<old>"]!, (int)old["<a>"]!, (int)old["b\""]!));
        Assert.Equal("x"u8.ToArray(), AddedTokenFiles.With("merges.txt", "x"u8.ToArray(), added));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);
}
