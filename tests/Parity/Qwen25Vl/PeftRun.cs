using System.Text.Json;
using Fovea.Runs.Files;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Parity.Qwen25Vl;

/// <summary>A run of the tiny model over its 32 rows in file order, 8 to a step, as tests/goldens/peft_variants/generate.py has it.</summary>
internal static class PeftRun
{
    internal static readonly string Base = TestFiles.Golden("qwen2_5_vl_tiny/model");

    /// <returns>Loss and gradient norm of every step.</returns>
    internal static List<(double Loss, double Norm)> Train(string output, params string[] keys)
    {
        var yaml = $"""
            model_name_or_path: {Base}
            dataset: tiny_shapes
            dataset_dir: {TestFiles.Golden("qwen2_5_vl_tiny/data")}
            template: qwen2_vl
            output_dir: {output}
            per_device_train_batch_size: 8
            gradient_accumulation_steps: 1
            disable_shuffling: true
            learning_rate: 1e-3
            lr_scheduler_type: cosine
            warmup_ratio: 0.1
            logging_steps: 1
            save_strategy: "no"
            vision_cache_dir: none
            """;
        SupervisedFineTune.Run(TrainConfig.Parse(yaml, "tiny", keys), []);
        return
        [
            .. TrainerState.Load(Path.Combine(output, TrainerState.FileName)).LogHistory.Where(entry => entry.ContainsKey("loss"))
                .Select(entry => (Convert.ToDouble(entry["loss"]), Convert.ToDouble(entry["grad_norm"]))),
        ];
    }

    /// <summary>Losses agree with the reference's within 1e-4, norms within 1e-3.</summary>
    internal static void AssertAgrees(JsonElement golden, List<(double Loss, double Norm)> log)
    {
        var expected = golden.GetProperty("log").EnumerateArray().ToList();
        Assert.Equal(expected.Count, log.Count);
        for (var step = 0; step < log.Count; step++)
        {
            Assert.Equal(expected[step].GetProperty("loss").GetDouble(), log[step].Loss, TestDevice.Tolerance(1e-4));
            Assert.Equal(expected[step].GetProperty("grad_norm").GetDouble(), log[step].Norm, TestDevice.Tolerance(1e-3));
        }
    }
}
