using System.Text.Json;
using Fovea.Data.Images;
using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Models;

namespace Fovea.Tests.Parity.MiniCpmV46;

/// <summary>
/// Prompts that are answered together have the tokens that Transformers gives them, alone and in its own batches (tests/goldens/minicpmv4_6/greedy.py).
/// </summary>
public sealed class GreedyTests : NativeTest
{
    private const int ImageToken = 1990;
    private static readonly JsonElement Known = Golden.Json(TestFiles.Golden("minicpmv4_6/greedy.json"));
    private readonly IMediaProcessor images = ModelSource.Open(TinyData.Folder).Process().Images;
    private readonly VisionLanguageModel model;

    public GreedyTests() => model = ModelSource.Open(TinyData.Folder).Load(new ModelOptions());

    [Fact]
    public void All_prompts_at_once_are_answered_as_each_alone_by_the_reference()
    {
        var alone = Known.GetProperty("alone").EnumerateArray().ToList();
        Assert.All(alone, row => Assert.True(row.GetProperty("smallest_gap").GetDouble() > 2e-4));
        EngineOptions[] ways = [new(), new() { PassTokens = 40, VisionPatches = 60 }, new() { MostSequences = 3, SharesPrefixes = false }];
        foreach (var options in ways)
        {
            using var engine = new GenerationEngine(model, options);
            var answers = EngineAnswers.Together(engine, [.. alone.Select(PromptOf)], Options);
            for (var i = 0; i < alone.Count; i++)
            {
                Assert.Equal(Ids(alone[i].GetProperty("output_ids")), answers.Ids(i));
            }
        }
    }

    [Fact]
    public void The_reference_s_batches_are_answered_as_by_it()
    {
        var alone = Known.GetProperty("alone").EnumerateArray().ToList();
        foreach (var batch in Known.GetProperty("batches").EnumerateArray())
        {
            using var engine = new GenerationEngine(model);
            var answers = EngineAnswers.Together(engine, [.. Ids(batch.GetProperty("rows")).Select(row => PromptOf(alone[row]))], Options);
            var expected = batch.GetProperty("output_ids").EnumerateArray().Select(Ids).ToList();
            Assert.Equal(expected, Enumerable.Range(0, answers.Count).Select(i => answers.Ids(i).ToArray()));
        }
    }

    protected override void Cleanup() => model.Dispose();

    private static GenerationOptions Options => new() { DoSample = false, MaxNewTokens = 24, StopIds = [] };

    private static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];

    private Prompt PromptOf(JsonElement row)
    {
        var ids = Ids(row.GetProperty("prompt_ids"));
        var placed = new List<PromptImage>();
        var at = 0;
        foreach (var name in row.GetProperty("images").EnumerateArray())
        {
            var media = images.Process(Path.Combine(TestFiles.Golden("minicpmv4_6/data"), name.GetString()!));
            foreach (var (part, tokens) in media.Parts.Zip(media.Plan.Tokens))
            {
                at = Array.IndexOf(ids, ImageToken, at);
                placed.Add(new PromptImage(part, at, tokens));
                at += tokens;
            }
        }

        Assert.Equal(ids.Count(id => id == ImageToken), placed.Sum(image => image.Tokens));
        return new Prompt(ids, placed);
    }
}
