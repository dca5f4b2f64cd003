using System.Text.Json;
using System.Text.RegularExpressions;
using Fovea.Data.Tokenizers;

namespace Fovea.Tests.Unit.Tokenizers;

/// <summary>Ids and text that Hugging Face tokenizers gave for the same texts (make_tokenizer_golden.py).</summary>
public sealed class TokenizerGoldenTests
{
    [Fact]
    public void MiniMind_ids_and_decoded_text_equal_the_reference() =>
        Compare(TestFiles.Golden("minimind_c/tokenizer"), TestFiles.GoldenLines("tokenizer/minimind/golden.jsonl.gz"));

    [Theory]
    [InlineData("qwen2_5")]
    [InlineData("minimind")]
    [InlineData("minimind_a")]
    public void Published_tokenizers_give_the_ids_and_text_of_the_reference(string name) =>
        Compare(Reference($"data/tokenizers/{name}"), [.. File.ReadLines(Reference($"golden/tokenizer/{name}.jsonl"))]);

    [Fact]
    public void Reference_text_given_out_as_a_stream_is_the_decoded_text()
    {
        var tokenizer = Tokenizer.Load(TestFiles.Golden("minimind_c/tokenizer"));
        foreach (var line in TestFiles.GoldenLines("tokenizer/minimind/golden.jsonl.gz"))
        {
            var (_, ids, decoded) = Parse(line);
            var decoder = tokenizer.NewStreamingDecoder(skipSpecialTokens: false);
            Assert.Equal(decoded, string.Concat(ids.Select(decoder.Push)) + decoder.Flush());
        }
    }

    [Fact]
    public void Chat_ids_of_the_small_Qwen_model_decode_and_encode_to_themselves()
    {
        var tokenizer = Tokenizer.Load(Reference("golden/qwen2_5_vl_tiny/model"));
        using var samples = JsonDocument.Parse(File.ReadAllBytes(Reference("golden/qwen2_5_vl_tiny/samples_encoded.json")));
        foreach (var sample in samples.RootElement.EnumerateArray())
        {
            var ids = Ids(sample.GetProperty("input_ids"));
            Assert.Equal(ids, tokenizer.Encode(tokenizer.Decode(ids)));
        }
    }

    [Fact]
    public void Small_MiniCpm_V26_ids_decode_and_encode_to_themselves()
    {
        var tokenizer = Tokenizer.Load(Reference("golden/minicpm_v26/tokenizer"));
        using var encoded = JsonDocument.Parse(File.ReadAllBytes(Reference("golden/minicpm_v26/data/encoded.json")));
        var rows = encoded.RootElement.GetProperty("rows").EnumerateArray().Where(r => r.TryGetProperty("input_ids", out _)).ToList();
        Assert.NotEmpty(rows);
        foreach (var ids in rows.Select(r => Ids(r.GetProperty("input_ids"))))
        {
            Assert.Equal(ids, tokenizer.Encode(tokenizer.Decode(ids)));
        }
    }

    [Fact]
    public void Llama3_style_tokenizer_gives_the_reference_ids()
    {
        var tokenizer = Tokenizer.Load(TestFiles.Golden("tokenizer/minicpm_v25"));
        foreach (var (text, ids) in Encoded("minicpm_v25"))
        {
            Assert.Equal(ids, tokenizer.Encode(text));
            Assert.Equal(text, tokenizer.Decode(ids));
        }

        Assert.Equal([tokenizer.IdOf("<|begin_of_text|>")!.Value, .. tokenizer.Encode("Hi")], tokenizer.Encode("Hi", addSpecialTokens: true));
    }

    [Fact]
    public void Sentencepiece_style_tokenizer_gives_the_reference_ids()
    {
        var tokenizer = Tokenizer.Load(TestFiles.Golden("tokenizer/minicpm_v2"));
        foreach (var (text, expected) in Encoded("minicpm_v2"))
        {
            // The original encodes role marks and contents one by one and drops the begin token of each.
            var ids = new List<int>();
            foreach (var part in Regex.Split(text, "(<用户>|<AI>)").Where(p => p.Length > 0))
            {
                ids.AddRange(tokenizer.Encode(part, addSpecialTokens: true)[1..]);
            }

            Assert.Equal(expected, ids);
        }
    }

    private static List<(string Text, int[] Ids)> Encoded(string name)
    {
        var rows = new List<(string, int[])>();
        foreach (var line in File.ReadLines(TestFiles.Golden($"tokenizer/{name}/encoded.jsonl")))
        {
            using var row = JsonDocument.Parse(line);
            rows.Add((Expand(row.RootElement.GetProperty("raw_msg").GetString()!), Ids(row.RootElement.GetProperty("input_ids"))));
        }

        Assert.NotEmpty(rows);
        return rows;
    }

    /// <summary>The golden writes n unknown tokens in a row as [nx&lt;unk&gt;].</summary>
    private static string Expand(string text) => Regex.Replace(
        text, @"\[(\d+)x(<unk>)\]", m => string.Concat(Enumerable.Repeat(m.Groups[2].Value, int.Parse(m.Groups[1].Value))));

    private static void Compare(string tokenizerFolder, IReadOnlyList<string> golden)
    {
        var tokenizer = Tokenizer.Load(tokenizerFolder);
        foreach (var line in golden)
        {
            var (text, ids, decoded) = Parse(line);
            Assert.Equal(ids, tokenizer.Encode(text));
            Assert.Equal(decoded, tokenizer.Decode(ids));
        }

        Assert.True(golden.Count >= 298, $"only {golden.Count} texts");
    }

    private static (string Text, int[] Ids, string Decoded) Parse(string line)
    {
        using var json = JsonDocument.Parse(line);
        var root = json.RootElement;
        return (root.GetProperty("text").GetString()!, Ids(root.GetProperty("ids")), root.GetProperty("decoded").GetString()!);
    }

    private static int[] Ids(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];

    private static string Reference(string relative) => TestFiles.Shared(relative) ?? TestFiles.SkipMissing(relative);
}
