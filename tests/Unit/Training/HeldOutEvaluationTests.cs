using Fovea.Models;
using Fovea.Tests.Parity.MiniMindV;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>Loss, perplexity and token accuracy on held-out samples, against the reference's losses and choices.</summary>
public sealed class HeldOutEvaluationTests : NativeTest
{
    [Fact]
    public void Loss_and_accuracy_are_those_of_the_references_tokens()
    {
        using var folder = new MiniMindFolder("c", "dense");
        var item = folder.Json("dense/forward.json").GetProperty("cases").EnumerateArray().First(c => c.GetProperty("case").GetString() == "train_0");
        var labels = item.GetProperty("labels")[0].EnumerateArray().Select(v => v.GetInt32()).ToArray();
        var best = item.GetProperty("argmax")[0].EnumerateArray().Select(v => v.GetInt32()).ToArray();
        var trained = Enumerable.Range(1, labels.Length - 1).Where(i => labels[i] != -100).ToList();
        var source = ModelSource.Open(folder.Path);
        using var model = source.Load(new ModelOptions());
        var result = Assert.Single(HeldOutEvaluation.Run(
            TrainConfig.Parse(
                $"""
                model_name_or_path: {folder.Path}
                eval_dataset: {folder.Data("train.rows.json")}
                media_dir: {folder.Data("images")}
                max_samples: 1
                max_seq_len: 160
                empty_think_ratio: 1
                """, "test", use: ConfigUse.Any),
            source, model));
        Assert.Equal(1, result.Samples);
        Assert.Equal(item.GetProperty("loss").GetDouble(), result.Loss!.Value, 1e-4);
        Assert.Equal(Math.Exp(result.Metrics["token_loss"]), result.Metrics["perplexity"], 1e-6);
        Assert.Equal(trained.Count(i => best[i - 1] == labels[i]) / (double)trained.Count, result.Metrics["token_accuracy"], 1e-9);
    }
}
