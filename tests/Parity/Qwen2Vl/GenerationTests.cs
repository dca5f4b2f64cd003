using System.Text.Json;
using Fovea.Data.Images;
using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Models;

namespace Fovea.Tests.Parity.Qwen2Vl;

/// <summary>Greedy tokens of Transformers (tests/goldens/qwen2_vl/greedy.py), each prompt alone and all at once.</summary>
public sealed class GenerationTests : NativeTest
{
    private static readonly JsonElement Samples = Golden.Json(TestFiles.Golden("qwen2_vl/forward.json")).GetProperty("samples");
    private readonly VisionLanguageModel model;
    private readonly IMediaProcessor images;

    public GenerationTests()
    {
        var source = ModelSource.Open(TestFiles.Golden("qwen2_vl/model"));
        (model, images) = (source.Load(new ModelOptions()), source.Process().Images);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    public void Answers_are_those_of_the_reference(int together)
    {
        var answers = Golden.Json(TestFiles.Golden("qwen2_vl/greedy.json")).GetProperty("answers").EnumerateArray().ToList();
        Assert.Equal(6, answers.Count);
        using var engine = new GenerationEngine(model, new EngineOptions { MostSequences = together });
        var found = EngineAnswers.Together(
            engine, [.. answers.Select(PromptOf)], new GenerationOptions { DoSample = false, MaxNewTokens = 24, StopIds = [] });
        for (var i = 0; i < answers.Count; i++)
        {
            Assert.True(answers[i].GetProperty("smallest_gap").GetDouble() > 1e-4);
            Assert.Equal(answers[i].GetProperty("output_ids").EnumerateArray().Select(id => id.GetInt32()), found.Ids(i));
        }
    }

    protected override void Cleanup() => model.Dispose();

    private Prompt PromptOf(JsonElement answer)
    {
        const int imageToken = 1990;
        var (sample, length) = (answer.GetProperty("sample").GetString()!, answer.GetProperty("prompt_tokens").GetInt32());
        int[] ids = [.. Samples.GetProperty(sample).GetProperty("input_ids").EnumerateArray().Take(length).Select(id => id.GetInt32())];
        string[] names = sample switch
        {
            "text" or "long" => [],
            "two" => ["two_0", "two_1"],
            _ => [sample],
        };
        var (at, placed) = (0, new List<PromptImage>());
        foreach (var name in names)
        {
            var media = images.Process(MediaSource.FromFile(TestFiles.Golden($"qwen2_vl/data/images/{name}.png")));
            at = Array.IndexOf(ids, imageToken, at);
            placed.Add(new PromptImage(media.Parts[0], at, media.Plan.Tokens[0]));
            at += media.Plan.Tokens[0];
        }

        return new Prompt(ids, placed);
    }
}
