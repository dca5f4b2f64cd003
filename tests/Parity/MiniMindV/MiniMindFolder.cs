using System.Text.Json;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Models.MiniMindV;

namespace Fovea.Tests.Parity.MiniMindV;

/// <summary>
/// A MiniMind-V model folder over the goldens of one generation (tests/goldens/minimind_a, minimind_c: made by their generate.py from the published
/// code, cut down by minimind_a/prune.py): configuration, tokenizer, links to weights and encoder.
/// </summary>
internal sealed class MiniMindFolder : IDisposable
{
    /// <param name="generation">a or c.</param>
    /// <param name="kind">dense or moe.</param>
    public MiniMindFolder(string generation, string kind)
    {
        (Generation, Kind) = (generation, kind);
        Path = Directory.CreateTempSubdirectory("fovea-minimind").FullName;
        foreach (var name in new[] { "tokenizer.json", "tokenizer_config.json" })
        {
            File.Copy(Golden($"tokenizer/{name}"), System.IO.Path.Combine(Path, name));
        }

        var isA = generation == "a";
        var config = new Dictionary<string, object>
        {
            ["model_type"] = "minimind-v",
            [isA ? "dim" : "hidden_size"] = 64,
            [isA ? "n_layers" : "num_hidden_layers"] = isA ? 2 : 3,
            [isA ? "n_heads" : "num_attention_heads"] = 4,
            [isA ? "n_kv_heads" : "num_key_value_heads"] = 2,
            ["use_moe"] = kind == "moe",
            ["vision_model"] = Golden(isA ? "vision/clip-vit-base-patch16" : "vision/siglip2-base-p32-256-ve"),
            ["weights"] = Weights,
        };
        File.WriteAllText(System.IO.Path.Combine(Path, "config.json"), JsonSerializer.Serialize(config));
    }

    public string Generation { get; }

    public string Kind { get; }

    public string Path { get; }

    public bool IsA => Generation == "a";

    /// <summary>Tokens of an image.</summary>
    public int ImageTokens => IsA ? 196 : 64;

    public long ImageTokenId => IsA ? 34 : 12;

    public string Weights => Golden($"{Kind}/weights/{(IsA ? "lm" : "llm")}_64{(Kind == "moe" ? "_moe" : string.Empty)}.pth");

    public string Golden(string name) => TestFiles.Golden($"minimind_{Generation}/{name}");

    public string Data(string name) => Golden($"data/{name}");

    public JsonElement Json(string name) => Parity.Golden.Json(Golden(name));

    public MiniMindVModel Load(ModelOptions? options = null) =>
        (MiniMindVModel)ModelSource.Open(Path).Load(options ?? new ModelOptions { Device = TestDevice.Device });

    /// <summary>The conversations' rows of a golden file: .jsonl, or the readable twin of a parquet file.</summary>
    public IReadOnlyList<JsonElement> Rows(string file) => IsA
        ? [.. File.ReadLines(Golden($"data/{file}")).Select(line => JsonDocument.Parse(line).RootElement)]
        : [.. Json($"data/{System.IO.Path.GetFileNameWithoutExtension(file)}.rows.json").EnumerateArray()];

    /// <summary>The images of a row, by path.</summary>
    public IReadOnlyList<string> Images(JsonElement row) => IsA
        ? [.. row.GetProperty("image").GetString()!.Split(',').Select(name => Golden($"data/images/{name.Trim()}"))]
        : [.. row.GetProperty("images").EnumerateArray().Select(name => Golden($"data/images/{name.GetString()}"))];

    /// <summary>Samples of equal length, padding and all, as the published code feeds them; every position predicts the next target.</summary>
    public PackedBatch Batch(long[][] ids, long[][] targets, IReadOnlyList<IReadOnlyList<string>> images, IMediaProcessor stage)
    {
        var (samples, length) = (ids.Length, ids[0].Length);
        var all = ids.SelectMany(row => row).ToArray();
        var slots = new List<int>();
        var paths = new List<string>();
        List<int> starts = [0];
        var tokens = new List<int>();
        for (var s = 0; s < samples; s++)
        {
            var image = 0;
            for (var i = 0; i < length && image < images[s].Count;)
            {
                var run = 0;
                while (i + run < length && run < ImageTokens && ids[s][i + run] == ImageTokenId)
                {
                    run++;
                }

                if (run == ImageTokens || (run > 0 && !IsA))
                {
                    slots.AddRange(Enumerable.Range((s * length) + i, run));
                    tokens.Add(run);
                    paths.Add(images[s][image++]);
                }

                i += Math.Max(run, 1);
            }

            starts.Add(paths.Count);
        }

        var grid = stage.Plan(images[0][0]).Parts[0];
        var batch = new PackedBatch
        {
            Ids = all,
            CuSeqlens = [.. Enumerable.Range(0, samples + 1).Select(s => s * length)],
            SampleIndices = [.. Enumerable.Range(0, samples)],
            SampleGroup = new int[samples],
            SampleWeight = [.. Enumerable.Repeat(1f / samples, samples)],
            Grids = [.. paths.Select(_ => grid)],
            ImagePaths = [.. paths],
            ImageStarts = [.. starts],
            ImageTokens = [.. tokens],
            ImageSlots = [.. slots],
            LossIndex = [.. Enumerable.Range(0, all.Length).Select(i => (long)i)],
            Targets = targets.SelectMany(row => row).ToArray(),
        };
        var pixels = batch.AllocatePixels(grid.Patches * paths.Count, stage.PatchLength);
        for (var i = 0; i < paths.Count; i++)
        {
            var values = grid.Patches * stage.PatchLength;
            stage.Process(paths[i]).Parts[0].Patches.CopyTo(pixels.Slice(i * values, values));
        }

        return batch;
    }

    public Conversation Conversation(string file, int index)
    {
        var row = Rows(file)[index];
        var messages = row.GetProperty("conversations").EnumerateArray()
            .Select(m => (Role: m.GetProperty("role").GetString(), Text: m.GetProperty("content").GetString()!)).ToList();
        var system = messages[0].Role == "system" ? messages[0].Text : null;
        var texts = messages.Where(m => m.Role != "system").Select(m => m.Text).ToList();
        return Conversations.Of(file, index + 1, system, texts.Chunk(2).Select(pair => (pair[0], pair[1])), Images(row).Select(MediaSource.FromFile));
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
