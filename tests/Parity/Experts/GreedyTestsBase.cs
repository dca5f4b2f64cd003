using System.Text.Json;
using Fovea.Data.Images;
using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Models;

namespace Fovea.Tests.Parity.Experts;

/// <summary>Greedy tokens of Transformers (more.py beside the golden), each prompt alone and all at once.</summary>
/// <param name="golden">The folder in tests/goldens.</param>
public abstract class GreedyTestsBase(string golden) : NativeTest
{
    private const int ImageToken = 1990;
    private VisionLanguageModel? model;

    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    public void Answers_are_those_of_the_reference(int together)
    {
        var source = ModelSource.Open(TestFiles.Golden($"{golden}/model"));
        model = source.Load(new ModelOptions());
        var images = source.Process().Images;
        var answers = Golden.Json(TestFiles.Golden($"{golden}/greedy.json")).GetProperty("answers").EnumerateArray().ToList();
        Assert.Equal(6, answers.Count);
        using var engine = new GenerationEngine(model, new EngineOptions { MostSequences = together });
        var found = EngineAnswers.Together(
            engine, [.. answers.Select(answer => PromptOf(images, answer))],
            new GenerationOptions { DoSample = false, MaxNewTokens = 24, StopIds = [] });
        for (var i = 0; i < answers.Count; i++)
        {
            Assert.True(answers[i].GetProperty("smallest_gap").GetDouble() > 1e-4);
            Assert.Equal(answers[i].GetProperty("output_ids").EnumerateArray().Select(id => id.GetInt32()), found.Ids(i));
        }
    }

    protected override void Cleanup() => model?.Dispose();

    private Prompt PromptOf(IMediaProcessor images, JsonElement answer)
    {
        var samples = Golden.Json(TestFiles.Golden($"{golden}/forward.json")).GetProperty("samples");
        var (sample, length) = (answer.GetProperty("sample").GetString()!, answer.GetProperty("prompt_tokens").GetInt32());
        int[] ids = [.. samples.GetProperty(sample).GetProperty("input_ids").EnumerateArray().Take(length).Select(id => id.GetInt32())];
        string[] names = sample switch
        {
            "text" or "long" => [],
            "two" => ["two_0", "two_1"],
            _ => [sample],
        };
        var (at, placed) = (0, new List<PromptImage>());
        foreach (var name in names)
        {
            var media = images.Process(MediaSource.FromFile(TestFiles.Golden($"{golden}/data/images/{name}.png")));
            at = Array.IndexOf(ids, ImageToken, at);
            placed.Add(new PromptImage(media.Parts[0], at, media.Plan.Tokens[0]));
            at += media.Plan.Tokens[0];
        }

        return new Prompt(ids, placed);
    }
}
