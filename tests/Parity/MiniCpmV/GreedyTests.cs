using System.Security.Cryptography;
using System.Text.Json;
using Fovea.Data.Images;
using Fovea.Data.Tokenizers;
using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Models;
using Fovea.Models.MiniCpmV;

namespace Fovea.Tests.Parity.MiniCpmV;

/// <summary>Greedy answers are those of the hub's own <c>chat</c> and <c>generate</c>, alone and with others (tests/goldens/generation/minicpm.py).</summary>
public sealed class GreedyTests : NativeTest
{
    private const int Rows = 8;

    [Theory]
    [InlineData("v2")]
    [InlineData("v25")]
    [InlineData("v26")]
    [InlineData("v45")]
    public void Answers_and_first_logits_are_the_original_s_alone_and_together(string version)
    {
        var golden = Read(version);
        using var model = ModelSource.Open(Folder(version)).Load(new ModelOptions());
        var rows = golden.GetProperty("rows").EnumerateArray().ToList();
        Assert.Equal(Rows, rows.Count);
        var prompts = rows.Select(row => PromptOf(version, row)).ToList();
        var options = new GenerationOptions { DoSample = false, MaxNewTokens = 32, StopIds = Ids(golden, "end_tokens") };
        Compare("alone", rows, EngineAnswers.Alone(model, prompts, options));
        var ways = new Dictionary<string, EngineOptions>
        {
            ["together"] = new(),
            ["in chunks"] = new() { PassTokens = 40, VisionPatches = 100 },
            ["three at a time"] = new() { MostSequences = 3, SharesPrefixes = false },
        };
        foreach (var (way, engineOptions) in ways)
        {
            using var engine = new GenerationEngine(model, engineOptions);
            Compare(way, rows, EngineAnswers.Together(engine, prompts, options));
            Compare($"{way}, again", rows, EngineAnswers.Together(engine, prompts, options));
        }
    }

    [Theory]
    [InlineData("v2", 1)]
    [InlineData("v25", 0)]
    [InlineData("v26", 2)]
    [InlineData("v45", 2)]
    public void The_original_s_batches_are_answered_as_by_it(string version, int batches)
    {
        var golden = Read(version);
        using var model = ModelSource.Open(Folder(version)).Load(new ModelOptions());
        var rows = golden.GetProperty("rows").EnumerateArray().ToList();
        var options = new GenerationOptions { DoSample = false, MaxNewTokens = 32, StopIds = Ids(golden, "end_tokens") };
        Assert.Equal(batches, golden.GetProperty("batches").GetArrayLength());
        foreach (var batch in golden.GetProperty("batches").EnumerateArray())
        {
            var chosen = batch.EnumerateArray().Select(i => rows[i.GetInt32()]).ToList();
            using var engine = new GenerationEngine(model);
            Compare("batch", chosen, EngineAnswers.Together(engine, [.. chosen.Select(row => PromptOf(version, row))], options));
        }
    }

    [Theory]
    [InlineData("v2")]
    [InlineData("v25")]
    [InlineData("v26")]
    [InlineData("v45")]
    public void Pixels_are_those_of_the_original_s_processor(string version)
    {
        var parts = 0;
        foreach (var row in Read(version).GetProperty("rows").EnumerateArray())
        {
            var images = PromptOf(version, row).Images;
            var ours = images.Select(image => Convert.ToHexStringLower(SHA256.HashData(
                [.. OfficialRun.Turned(image.Image.Patches, image.Image.Grid, version != "v2").Select(v => (byte)Math.Round(((v * 0.5) + 0.5) * 255))])));
            Assert.Equal(row.GetProperty("pixels").EnumerateArray().Select(hash => hash.GetString()), ours);
            parts += images.Count;
        }

        Assert.True(parts > 10, $"{parts}");
    }

    [Theory]
    [InlineData("v2")]
    [InlineData("v25")]
    [InlineData("v26")]
    [InlineData("v45")]
    public void Conversations_become_the_original_s_prompts(string version)
    {
        var compared = 0;
        foreach (var row in Read(version).GetProperty("rows").EnumerateArray())
        {
            var own = new MiniCpmVOptions { ThinkFirst = row.GetProperty("by").GetString() == "thinking" };
            var processor = ModelSource.Open(Folder(version)).Process(options: own);
            var builder = new PromptBuilder(processor.Tokenizer, processor.Template, processor.Images);
            // The official training of V-2 encodes an answer by itself, so that its first word begins as one; its chat encodes the whole text.
            if (version == "v2" && row.GetProperty("texts").GetArrayLength() > 1)
            {
                continue;
            }

            var sources = Images(version, row).Select(MediaSource.FromFile).ToList();
            var messages = row.GetProperty("texts").EnumerateArray().Select((text, i) =>
                i == 0 ? builder.Question(text.GetString()!, sources) : i % 2 == 0 ? Message.User(text.GetString()!) : Message.Assistant(text.GetString()!));
            var ours = builder.Build(new Conversation([.. messages]), [.. sources.Select(builder.Read)]).Ids;
            Assert.Equal(Trained(version, processor.Tokenizer, Ids(row, "prompt_ids")), ours);
            compared++;
        }

        Assert.Equal(version == "v2" ? Rows - 2 : Rows, compared);
    }

    /// <summary>Without what <c>chat</c> of V-2 and of V-2.5 writes twice, and the official training once, as it is here.</summary>
    private static int[] Trained(string version, Tokenizer tokenizer, int[] ids)
    {
        if (version == "v2")
        {
            var turn = tokenizer.Encode("a<AI>").Length - tokenizer.Encode("a").Length;
            return ids.AsSpan()[^turn..].SequenceEqual(ids.AsSpan()[^(2 * turn)..^turn]) ? ids[..^turn] : ids;
        }

        return version == "v25" && ids[0] == ids[1] ? ids[1..] : ids;
    }

    private static void Compare(string way, List<JsonElement> rows, EngineAnswers answers)
    {
        Assert.Equal(rows.Count, answers.Count);
        for (var i = 0; i < rows.Count; i++)
        {
            var first = rows[i].GetProperty("first_logits").EnumerateArray().Select(value => value.GetSingle()).ToArray();
            Golden.Near($"{way}, prompt {i}", first, answers.Logits(i)[0][..first.Length], 1e-4);
            Assert.Equal(Ids(rows[i], "output_ids"), answers.Ids(i));
        }
    }

    private static string Folder(string version) => TestFiles.Golden($"minicpm_{version}/model");

    private static JsonElement Read(string version) => Golden.Json(TestFiles.Golden("generation/minicpm.json")).GetProperty(version);

    private static int[] Ids(JsonElement row, string key) => [.. row.GetProperty(key).EnumerateArray().Select(id => id.GetInt32())];

    private static IEnumerable<string> Images(string version, JsonElement row) =>
        row.GetProperty("images").EnumerateArray().Select(name => Path.Combine(OfficialRun.Images($"minicpm_{version}"), name.GetString()!));

    private static Prompt PromptOf(string version, JsonElement row)
    {
        var media = ModelSource.Open(Folder(version)).Process().Images;
        var parts = Images(version, row).SelectMany(path => media.Process(path).Parts).ToList();
        var bounds = row.GetProperty("image_bounds").EnumerateArray().Select(bound => (Start: bound[0].GetInt32(), End: bound[1].GetInt32())).ToList();
        Assert.Equal(bounds.Count, parts.Count);
        return new Prompt(Ids(row, "prompt_ids"), [.. parts.Zip(bounds, (part, bound) => new PromptImage(part, bound.Start, bound.End - bound.Start))]);
    }
}
