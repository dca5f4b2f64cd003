using System.Text.Json;
using Fovea.Data.Images;
using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Models;

namespace Fovea.Tests.Parity.MiniMindV;

/// <summary>Prompts that are answered together have the tokens that the published code gives each (tests/goldens/generation/minimind.py).</summary>
public sealed class GreedyBatchTests : NativeTest
{
    [Theory]
    [InlineData("a", "dense")]
    [InlineData("a", "moe")]
    [InlineData("c", "dense")]
    [InlineData("c", "moe")]
    public void Answers_of_a_batch_equal_the_original_s(string generation, string kind)
    {
        using var folder = new MiniMindFolder(generation, kind);
        using var model = folder.Load(new ModelOptions());
        var media = ModelSource.Open(folder.Path).Process().Images;
        var rows = Golden.Json(TestFiles.Golden("generation/minimind.json")).GetProperty($"{generation} {kind}").EnumerateArray().ToList();
        Assert.Equal(7, rows.Count);
        var tokens = rows[0].GetProperty("output_ids").GetArrayLength();
        var options = new GenerationOptions { DoSample = false, MaxNewTokens = tokens, StopIds = [] };
        foreach (var engineOptions in new[] { new EngineOptions(), new EngineOptions { PassTokens = 50, SharesPrefixes = false } })
        {
            using var engine = new GenerationEngine(model, engineOptions);
            var answers = EngineAnswers.Together(engine, [.. rows.Select(row => PromptOf(row, folder, media))], options);
            for (var i = 0; i < rows.Count; i++)
            {
                Assert.Equal(Ids(rows[i], "output_ids"), answers.Ids(i));
            }
        }
    }

    private static int[] Ids(JsonElement row, string key) => [.. row.GetProperty(key).EnumerateArray().Select(id => id.GetInt32())];

    private static Prompt PromptOf(JsonElement row, MiniMindFolder folder, IMediaProcessor media)
    {
        var ids = Ids(row, "prompt_ids");
        var placed = new List<PromptImage>();
        var at = 0;
        foreach (var name in row.GetProperty("images").EnumerateArray())
        {
            at = Array.IndexOf(ids, (int)folder.ImageTokenId, at);
            var image = media.Process(folder.Golden($"data/images/{name.GetString()}"));
            placed.Add(new PromptImage(image.Parts[0], at, folder.ImageTokens));
            at += folder.ImageTokens;
        }

        Assert.Equal(ids.Count(id => id == folder.ImageTokenId), placed.Sum(image => image.Tokens));
        return new Prompt(ids, placed);
    }
}
