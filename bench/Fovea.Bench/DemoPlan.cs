using System.Text.Json.Nodes;
using Fovea.Data.Datasets;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Data.Templates;
using Fovea.Models;
using Fovea.Training.Config;
using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Bench;

/// <summary>
/// What a run trains on, written down for the peer: ids, labels and images of every sample, the batches of every step, the rates, the settings of the
/// optimizer, and the adapter that both sides start from.
/// </summary>
internal static class DemoPlan
{
    /// <summary>Writes <c>plan.json</c> and <c>adapter/</c> into a folder.</summary>
    /// <exception cref="ConfigException">The peer cannot train this.</exception>
    public static void Write(TrainConfig config, string folder)
    {
        Check(config);
        var source = ModelSource.Open(config.Model.ModelNameOrPath);
        using var data = DatasetLoader.Load(DataSetup.From(config, source).Options);
        var adapter = AdapterIn(folder);
        StepThread.Run(() =>
        {
            using var model = ModelSetup.Load(config, source, null);
            ModelSaver.Save(model, config, adapter);
            return 0;
        });
        File.WriteAllText(PathIn(folder), Describe(config, data, adapter).ToJsonString());
    }

    public static string PathIn(string folder) => Path.Combine(folder, "plan.json");

    public static string AdapterIn(string folder) => Path.Combine(folder, "adapter");

    internal static JsonObject Describe(TrainConfig config, LoadedData data, string adapter)
    {
        var encoder = DataSetup.From(config, ModelSource.Open(config.Model.ModelNameOrPath)).NewEncoder();
        var order = new SampleOrder(DataSetup.Order(config, data.Train.Count, rank: 0, worldSize: 1));
        var total = order.TotalSteps(config.Schedule.NumTrainEpochs, config.Schedule.MaxSteps);
        var schedule = new Schedule(config.Schedule, total);
        var (steps, rates, samples) = (new JsonArray(), new JsonArray(), new JsonObject());
        for (var step = 0; step < total; step++)
        {
            var batches = order.BatchesOf(step);
            steps.Add(new JsonArray([.. batches.Select(batch => Array(batch))]));
            rates.Add(schedule.Rate(step));
            foreach (var index in batches.SelectMany(batch => batch).Where(index => !samples.ContainsKey($"{index}")))
            {
                samples[$"{index}"] = Sample(encoder.Encode(data.Train[index]));
            }
        }

        var shape = JsonFile.ReadNodes(Families.ConfigPath(config.Model.ModelNameOrPath));
        return new JsonObject
        {
            ["model"] = Path.GetFullPath(config.Model.ModelNameOrPath),
            ["adapter"] = adapter,
            ["bf16"] = config.Model.Bf16,
            ["image_token"] = (int)shape["image_token_id"]!,
            ["pad"] = 0,
            ["image_max_pixels"] = config.Data.ImageMaxPixels,
            ["image_min_pixels"] = config.Data.ImageMinPixels,
            ["workers"] = config.Data.DataloaderNumWorkers ?? 0,
            ["reduction"] = config.Schedule.LossReduction == LossReduction.Token ? "token" : "mean",
            ["adam_beta1"] = config.Optimizer.AdamBeta1,
            ["adam_beta2"] = config.Optimizer.AdamBeta2,
            ["adam_epsilon"] = config.Optimizer.AdamEpsilon,
            ["weight_decay"] = config.Optimizer.WeightDecay,
            ["max_grad_norm"] = config.Optimizer.MaxGradNorm,
            ["rates"] = rates,
            ["steps"] = steps,
            ["samples"] = samples,
        };
    }

    private static JsonObject Sample(EncodedSample sample) => new()
    {
        ["ids"] = Array(sample.Ids),
        ["labels"] = Array(sample.Labels),
        ["images"] = new JsonArray([.. sample.Images.Select(image => new JsonObject
        {
            ["path"] = Path.GetFullPath(image.Source.Name),
            ["grid"] = new JsonArray(image.Grid.T, image.Grid.H, image.Grid.W),
        })]),
    };

    private static JsonArray Array(int[] values) => [.. values.Select(value => JsonValue.Create(value))];

    private static void Check(TrainConfig config)
    {
        List<string> problems = [];
        Need(ModelSource.Open(config.Model.ModelNameOrPath).Family.ModelType == "qwen2_5_vl", "a Qwen2.5-VL");
        Need(config.Tuning.FinetuningType == FinetuningType.Lora, "finetuning_type: lora");
        Need(config.Tuning.LoraDropout == 0, "lora_dropout: 0");
        Need(config.Tuning.AdditionalTarget.Count == 0, "no additional_target");
        Need(config.Model.AdapterNameOrPath.Count <= 1, "at most one adapter_name_or_path");
        Need(!config.Model.PureBf16, "no pure_bf16");
        Need(!config.Tuning.UseRslora, "no use_rslora");
        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }

        void Need(bool holds, string what)
        {
            if (!holds)
            {
                problems.Add($"--peer trains the same in PyTorch only with {what}; leave --peer out, or change the configuration");
            }
        }
    }
}
