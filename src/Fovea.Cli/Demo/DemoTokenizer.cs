using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Fovea.Cli.Demo;

/// <summary>
/// A byte-level BPE tokenizer in Hugging Face's format, trained on the demonstration's own texts (arXiv 1508.07909): pairs are merged, the most frequent
/// first, until every word is one token. Other text falls back to bytes. The special tokens are Qwen's.
/// </summary>
internal sealed class DemoTokenizer
{
    private const string Split =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly string[] Specials =
    [
        "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
    ];

    private readonly List<string> vocabulary = [];
    private readonly List<(string Left, string Right)> merges = [];

    /// <param name="texts">Learnt from; the parts of the chat template are added.</param>
    public DemoTokenizer(IEnumerable<string> texts)
    {
        var bytes = Alphabet();
        vocabulary.AddRange(bytes);
        var words = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var text in texts.Concat(["system\nYou are a helpful assistant.", "user\n", "assistant\n"]))
        {
            foreach (Match piece in Regex.Matches(text, Split, RegexOptions.CultureInvariant))
            {
                words[piece.Value] = words.GetValueOrDefault(piece.Value) + 1;
            }
        }

        Learn([.. words.Select(word => (Encoding.UTF8.GetBytes(word.Key).Select(b => bytes[b]).ToList(), word.Value))]);
    }

    /// <summary>Rows of the embedding table: every token, rounded up.</summary>
    public int VocabularySize => (vocabulary.Count + Specials.Length + 63) / 64 * 64;

    public int IdOf(string special) => vocabulary.Count + Array.IndexOf(Specials, special);

    public void Write(string folder)
    {
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), Tokenizer().ToJsonString() + "\n");
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), Settings().ToJsonString() + "\n");
    }

    /// <summary>The characters that stand for bytes 0 to 255: printable ones for themselves, the others from U+0100 on.</summary>
    private static string[] Alphabet()
    {
        var spare = 0x100;
        return [.. Enumerable.Range(0, 256).Select(b => ((char)(b is (> 32 and < 127) or (> 160 and not 173) ? b : spare++)).ToString())];
    }

    private static JsonObject Added(string content) => new()
    {
        ["content"] = content, ["lstrip"] = false, ["normalized"] = false, ["rstrip"] = false, ["single_word"] = false, ["special"] = true,
    };

    private static JsonObject ByteLevel() => new()
    {
        ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = false, ["use_regex"] = false,
    };

    private void Learn(List<(List<string> Parts, int Count)> words)
    {
        while (true)
        {
            var pairs = new Dictionary<(string, string), int>();
            foreach (var (parts, count) in words)
            {
                for (var i = 1; i < parts.Count; i++)
                {
                    pairs[(parts[i - 1], parts[i])] = pairs.GetValueOrDefault((parts[i - 1], parts[i])) + count;
                }
            }

            if (pairs.Count == 0)
            {
                return;
            }

            // The dictionary keeps the order of insertion, so that ties fall the same way each time.
            var best = pairs.MaxBy(pair => pair.Value).Key;
            merges.Add(best);
            var merged = best.Item1 + best.Item2;
            if (!vocabulary.Contains(merged))
            {
                vocabulary.Add(merged);
            }

            foreach (var (parts, _) in words)
            {
                for (var i = 1; i < parts.Count; i++)
                {
                    if ((parts[i - 1], parts[i]) == best)
                    {
                        parts[i - 1] = merged;
                        parts.RemoveAt(i);
                    }
                }
            }
        }
    }

    private JsonObject Tokenizer() => new()
    {
        ["version"] = "1.0",
        ["truncation"] = null,
        ["padding"] = null,
        ["added_tokens"] = new JsonArray([.. Specials.Select(WithId)]),
        ["normalizer"] = new JsonObject { ["type"] = "NFC" },
        ["pre_tokenizer"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray(
                new JsonObject
                {
                    ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = Split }, ["behavior"] = "Isolated", ["invert"] = false,
                },
                ByteLevel()),
        },
        ["post_processor"] = ByteLevel(),
        ["decoder"] = ByteLevel(),
        ["model"] = new JsonObject
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = null,
            ["continuing_subword_prefix"] = "",
            ["end_of_word_suffix"] = "",
            ["fuse_unk"] = false,
            ["byte_fallback"] = false,
            ["ignore_merges"] = false,
            ["vocab"] = new JsonObject(vocabulary.Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id))),
            ["merges"] = new JsonArray([.. merges.Select(merge => new JsonArray(merge.Left, merge.Right))]),
        },
    };

    private JsonObject WithId(string special)
    {
        var token = Added(special);
        token.Insert(0, "id", IdOf(special));
        return token;
    }

    private JsonObject Settings() => new()
    {
        ["add_prefix_space"] = false,
        ["added_tokens_decoder"] = new JsonObject(Specials.Select(special => KeyValuePair.Create($"{IdOf(special)}", (JsonNode?)Added(special)))),
        ["bos_token"] = null,
        ["clean_up_tokenization_spaces"] = false,
        ["eos_token"] = "<|im_end|>",
        ["errors"] = "replace",
        ["model_max_length"] = DemoModel.MaxPositions,
        ["pad_token"] = "<|endoftext|>",
        ["split_special_tokens"] = false,
        ["tokenizer_class"] = "Qwen2Tokenizer",
        ["unk_token"] = null,
    };
}
