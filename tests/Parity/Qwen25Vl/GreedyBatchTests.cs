using System.Text.Json;
using Fovea.Data.Images;
using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Models;

namespace Fovea.Tests.Parity.Qwen25Vl;

/// <summary>
/// Prompts that are answered together have the tokens that Transformers gives them, alone and in its own batches (tests/goldens/generation).
/// </summary>
public sealed class GreedyBatchTests : NativeTest
{
    private const string Whole = "golden/generation/greedy.json";
    private const int ImageToken = 1990;
    private static readonly string Folder = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private readonly VisionLanguageModel model;

    public GreedyBatchTests() => model = ModelSource.Open(Folder).Load(new ModelOptions());

    [Fact]
    public void Rows_of_the_reference_s_batches_are_answered_as_by_it() => Compare(Golden.Json(TestFiles.Golden("generation/greedy.json")), 7, 27);

    [Fact]
    public void All_rows_of_the_reference_s_batches_are_answered_as_by_it() =>
        Compare(Golden.Json(TestFiles.Shared(Whole) ?? TestFiles.SkipMissing(Whole)), 7, 62);

    [Fact]
    public void All_prompts_at_once_are_answered_as_the_reference_answers_each_alone()
    {
        var rows = Golden.Json(TestFiles.Golden("generation/greedy.json"));
        var alone = rows.GetProperty("alone").EnumerateArray().ToList();
        EngineOptions[] ways = [new(), new() { PassTokens = 40, VisionPatches = 100 }, new() { MostSequences = 3 }];
        foreach (var options in ways)
        {
            using var engine = new GenerationEngine(model, options);
            var answers = EngineAnswers.Together(engine, [.. alone.Select(PromptOf)], Options(48, Ids(rows.GetProperty("end_tokens"))));
            for (var i = 0; i < alone.Count; i++)
            {
                Assert.Equal(Ids(alone[i].GetProperty("output_ids")), answers.Ids(i));
            }
        }
    }

    protected override void Cleanup() => model.Dispose();

    private static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];

    private static GenerationOptions Options(int tokens, int[] ends) => new() { DoSample = false, MaxNewTokens = tokens, StopIds = ends };

    // Batches whose rows do not depend on the reference's padding: plain ones, with a further end token, and with a least length.
    private void Compare(JsonElement golden, int batches, int rows)
    {
        var alone = golden.GetProperty("alone").EnumerateArray().ToDictionary(row => row.GetProperty("index").GetInt32());
        foreach (var batch in golden.GetProperty("batches").EnumerateArray())
        {
            var settings = batch.GetProperty("options");
            var listed = batch.GetProperty("rows").EnumerateArray().ToList();
            var least = settings.TryGetProperty("min_new_tokens", out var min) ? min.GetInt32() : 0;
            if (least == 0 && listed.Any(row => row.GetProperty("equals_alone").ValueKind != JsonValueKind.True))
            {
                continue;
            }

            var ends = Ids(settings.TryGetProperty("eos_token_id", out var further) ? further : golden.GetProperty("end_tokens"));
            var options = Options(settings.GetProperty("max_new_tokens").GetInt32(), ends) with { MinNewTokens = least };
            using var engine = new GenerationEngine(model);
            var answers = EngineAnswers.Together(engine, [.. listed.Select(row => PromptOf(alone[row.GetProperty("index").GetInt32()]))], options);
            for (var i = 0; i < listed.Count; i++)
            {
                Assert.Equal(Ids(listed[i].GetProperty("output_ids")), answers.Ids(i));
            }

            (batches, rows) = (batches - 1, rows - listed.Count);
        }

        Assert.True(batches <= 0 && rows <= 0, $"{batches} batches and {rows} rows are missing");
    }

    private Prompt PromptOf(JsonElement row)
    {
        var ids = Ids(row.GetProperty("prompt_ids"));
        var images = ModelSource.Open(Folder).Process().Images;
        var placed = new List<PromptImage>();
        var at = 0;
        foreach (var name in row.GetProperty("images").EnumerateArray())
        {
            var image = images.Process(Path.Combine(TestFiles.Golden("qwen2_5_vl_tiny/data"), name.GetString()!));
            at = Array.IndexOf(ids, ImageToken, at);
            placed.Add(new PromptImage(image.Parts[0], at, image.Plan.Tokens[0]));
            at += placed[^1].Tokens;
        }

        Assert.Equal(ids.Count(id => id == ImageToken), placed.Sum(image => image.Tokens));
        return new Prompt(ids, placed);
    }
}
