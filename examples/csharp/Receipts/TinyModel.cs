using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace Receipts;

/// <summary>
/// Stands in for a model from the hub: a Qwen2.5-VL of not quite a million random weights, as a Hugging Face folder. A product has no such file; it names
/// <c>Qwen/Qwen2.5-VL-3B-Instruct</c> instead.
/// </summary>
internal static class TinyModel
{
    private const int Size = 128;
    private const int Hidden = 256;
    private const int Patch = 14;
    private const int Merge = 1;
    private const int VisionLayers = 2;
    private const int TextLayers = 2;
    private const int Heads = 4;
    private const int KeyHeads = 2;
    private const double Deviation = 0.06;

    private const string Pieces = @" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly string[] Specials =
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"];

    // Whole words of the receipts, of the questions and of the chat template; all other text is bytes.
    private static readonly string[] Words =
    [
        .. PrintedReceipt.Shops, .. PrintedReceipt.Names, "TOTAL", "VAT", " VAT", " items", " total", "{\"", "shop", "date", "items", "total",
        "\":\"", "\",\"", "\":", ",\"", "What", " is", " this", " does", " it", " say", "Record", " receipt", "system", "user", "assistant", "You", " are",
        " a", " helpful", " assistant",
    ];

    public static void Write(string folder, int seed)
    {
        Directory.CreateDirectory(folder);
        var vocabulary = Vocabulary();
        Save(folder, "tokenizer.json", Tokenizer(vocabulary));
        Save(folder, "tokenizer_config.json", new()
        {
            ["tokenizer_class"] = "Qwen2Tokenizer", ["eos_token"] = "<|im_end|>", ["pad_token"] = "<|endoftext|>", ["model_max_length"] = 1024,
        });
        Save(folder, "generation_config.json", new() { ["do_sample"] = false, ["eos_token_id"] = new JsonArray(Id("<|im_end|>"), Id("<|endoftext|>")) });
        Save(folder, "preprocessor_config.json", new()
        {
            ["image_processor_type"] = "Qwen2VLImageProcessor", ["processor_class"] = "Qwen2_5_VLProcessor",
            ["min_pixels"] = Patch * Patch, ["max_pixels"] = Patch * Patch * PrintedReceipt.LineLength * (1 + PrintedReceipt.MostLines),
            ["patch_size"] = Patch, ["temporal_patch_size"] = 2, ["merge_size"] = Merge,
            ["image_mean"] = new JsonArray(0.48145466, 0.4578275, 0.40821073), ["image_std"] = new JsonArray(0.26862954, 0.26130258, 0.27577711),
        });

        // rope_theta is small so that the rows and columns of a picture differ within heads as narrow as these.
        var rows = (vocabulary.Count + Specials.Length + 63) / 64 * 64;
        Save(folder, "config.json", new()
        {
            ["architectures"] = new JsonArray("Qwen2_5_VLForConditionalGeneration"), ["model_type"] = "qwen2_5_vl", ["torch_dtype"] = "float32",
            ["hidden_size"] = Size, ["intermediate_size"] = Hidden, ["num_hidden_layers"] = TextLayers, ["num_attention_heads"] = Heads,
            ["num_key_value_heads"] = KeyHeads, ["hidden_act"] = "silu", ["rms_norm_eps"] = 1e-6, ["rope_theta"] = 10.0,
            ["rope_scaling"] = new JsonObject { ["type"] = "mrope", ["mrope_section"] = new JsonArray(4, 6, 6) },
            ["max_position_embeddings"] = 1024, ["tie_word_embeddings"] = false, ["vocab_size"] = rows,
            ["bos_token_id"] = Id("<|endoftext|>"), ["eos_token_id"] = Id("<|im_end|>"),
            ["vision_start_token_id"] = Id("<|vision_start|>"), ["vision_end_token_id"] = Id("<|vision_end|>"),
            ["image_token_id"] = Id("<|image_pad|>"), ["video_token_id"] = Id("<|video_pad|>"),
            ["vision_config"] = new JsonObject
            {
                ["model_type"] = "qwen2_5_vl", ["depth"] = VisionLayers, ["hidden_size"] = Size, ["intermediate_size"] = Hidden, ["num_heads"] = Heads,
                ["out_hidden_size"] = Size, ["hidden_act"] = "silu", ["in_chans"] = 3, ["patch_size"] = Patch, ["temporal_patch_size"] = 2,
                ["spatial_patch_size"] = Patch, ["spatial_merge_size"] = Merge, ["tokens_per_second"] = 2, ["window_size"] = 112,
                ["fullatt_block_indexes"] = new JsonArray([.. Enumerable.Range(0, VisionLayers).Select(i => (JsonNode)i)]),
            },
        });
        Write(Path.Combine(folder, "model.safetensors"), Weights(rows), new Random(seed));

        int Id(string special) => vocabulary.Count + Array.IndexOf(Specials, special);
    }

    private static IEnumerable<(string Name, int[] Shape)> Weights(int rows)
    {
        const int head = Size / Heads;
        yield return ("model.embed_tokens.weight", [rows, Size]);
        yield return ("lm_head.weight", [rows, Size]);
        yield return ("model.norm.weight", [Size]);
        for (var i = 0; i < TextLayers; i++)
        {
            var block = $"model.layers.{i}.";
            foreach (var (name, heads) in new[] { ("q", Heads), ("k", KeyHeads), ("v", KeyHeads) })
            {
                yield return ($"{block}self_attn.{name}_proj.weight", [heads * head, Size]);
                yield return ($"{block}self_attn.{name}_proj.bias", [heads * head]);
            }

            yield return ($"{block}self_attn.o_proj.weight", [Size, Size]);
            yield return ($"{block}mlp.gate_proj.weight", [Hidden, Size]);
            yield return ($"{block}mlp.up_proj.weight", [Hidden, Size]);
            yield return ($"{block}mlp.down_proj.weight", [Size, Hidden]);
            yield return ($"{block}input_layernorm.weight", [Size]);
            yield return ($"{block}post_attention_layernorm.weight", [Size]);
        }

        yield return ("visual.patch_embed.proj.weight", [Size, 3, 2, Patch, Patch]);
        for (var i = 0; i < VisionLayers; i++)
        {
            foreach (var (name, output, input) in new[]
            {
                ("attn.qkv", 3 * Size, Size), ("attn.proj", Size, Size),
                ("mlp.gate_proj", Hidden, Size), ("mlp.up_proj", Hidden, Size), ("mlp.down_proj", Size, Hidden),
            })
            {
                yield return ($"visual.blocks.{i}.{name}.weight", [output, input]);
                yield return ($"visual.blocks.{i}.{name}.bias", [output]);
            }

            yield return ($"visual.blocks.{i}.norm1.weight", [Size]);
            yield return ($"visual.blocks.{i}.norm2.weight", [Size]);
        }

        var merged = Size * Merge * Merge;
        yield return ("visual.merger.ln_q.weight", [Size]);
        yield return ("visual.merger.mlp.0.weight", [merged, merged]);
        yield return ("visual.merger.mlp.0.bias", [merged]);
        yield return ("visual.merger.mlp.2.weight", [Size, merged]);
        yield return ("visual.merger.mlp.2.bias", [Size]);
    }

    /// <summary>A safetensors file: the length of a JSON header, the header, the numbers. Matrices are normal, gains one, biases zero.</summary>
    private static void Write(string path, IEnumerable<(string Name, int[] Shape)> weights, Random random)
    {
        var header = new JsonObject { ["__metadata__"] = new JsonObject { ["format"] = "pt" } };
        var values = new List<float>();
        foreach (var (name, shape) in weights)
        {
            var begin = values.Count * sizeof(float);
            var count = shape.Aggregate(1, (all, side) => all * side);
            values.AddRange(Enumerable.Range(0, count).Select(_ => name.EndsWith("bias") ? 0 : shape.Length == 1 ? 1 : (float)(Deviation * Normal())));
            header[name] = new JsonObject
            {
                ["dtype"] = "F32",
                ["shape"] = new JsonArray([.. shape.Select(side => (JsonNode)side)]),
                ["data_offsets"] = new JsonArray(begin, values.Count * sizeof(float)),
            };
        }

        var text = System.Text.Encoding.UTF8.GetBytes(header.ToJsonString());
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, text.Length);
        using var file = File.Create(path);
        file.Write(length);
        file.Write(text);
        file.Write(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(values)));

        double Normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
    }

    /// <summary>The characters that stand for bytes 0 to 255 in a byte-level vocabulary, then words.</summary>
    private static List<string> Vocabulary()
    {
        var spare = 0x100;
        var bytes = Enumerable.Range(0, 256).Select(b => (char)(b is (> 32 and < 127) or (> 160 and not 173) ? b : spare++)).ToArray();
        return [.. bytes.Select(c => c.ToString()), .. Words.Select(word => string.Concat(word.Select(c => bytes[c])))];
    }

    private static JsonObject Tokenizer(List<string> vocabulary)
    {
        var byteLevel = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = false, ["use_regex"] = false };
        return new()
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray([.. Specials.Select((content, i) => new JsonObject
            {
                ["id"] = vocabulary.Count + i, ["content"] = content, ["special"] = true,
                ["lstrip"] = false, ["rstrip"] = false, ["single_word"] = false, ["normalized"] = false,
            })]),
            ["pre_tokenizer"] = new JsonObject
            {
                ["type"] = "Sequence",
                ["pretokenizers"] = new JsonArray(
                    new JsonObject { ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = Pieces }, ["behavior"] = "Isolated", ["invert"] = false },
                    byteLevel.DeepClone()),
            },
            ["post_processor"] = byteLevel.DeepClone(),
            ["decoder"] = byteLevel,
            ["model"] = new JsonObject
            {
                ["type"] = "BPE", ["ignore_merges"] = true,
                ["vocab"] = new JsonObject(vocabulary.Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id))),
                ["merges"] = new JsonArray(),
            },
        };
    }

    private static void Save(string folder, string name, JsonObject json) => File.WriteAllText(Path.Combine(folder, name), json.ToJsonString());
}
