using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Runs.Files;

namespace Fovea.Tests.Unit.Robustness;

/// <summary>A folder with a configuration for the tiny golden model, and the means to break it.</summary>
internal sealed class TinyRun : IDisposable
{
    public static readonly string Model = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly string Data = TestFiles.Golden("qwen2_5_vl_tiny/data");

    public TinyRun()
    {
        Folder = Directory.CreateTempSubdirectory("fovea-robust").FullName;
        Config = Write("run.yaml", $"""
            model_name_or_path: {Model}
            stage: sft
            do_train: true
            finetuning_type: lora
            dataset: tiny_shapes
            dataset_dir: {Data}
            template: qwen2_vl
            max_samples: 24
            per_device_train_batch_size: 1
            gradient_accumulation_steps: 2
            learning_rate: 1.0e-3
            lr_scheduler_type: cosine
            max_steps: 10
            logging_steps: 1
            save_steps: 2
            use_cpu: true
            vision_cache_dir: none
            """);
    }

    public string Folder { get; }

    public string Config { get; }

    public string Out(string name = "out") => Path.Combine(Folder, name);

    public string Write(string name, string text)
    {
        File.WriteAllText(Path.Combine(Folder, name), text);
        return Path.Combine(Folder, name);
    }

    /// <summary>The arguments of a training run into <see cref="Out"/>.</summary>
    public string[] Train(string name, params ReadOnlySpan<string> overrides) => ["train", Config, $"output_dir={Out(name)}", .. overrides];

    /// <summary>Rows of the golden dataset with whole paths, changed, as a dataset of its own; the override that names it.</summary>
    public string[] Rows(int count, Action<JsonArray> change)
    {
        var golden = JsonNode.Parse(File.ReadAllText(Path.Combine(Data, "tiny_shapes.json")))!.AsArray();
        var rows = new JsonArray([.. golden.Take(count).Select(row => row!.DeepClone())]);
        foreach (var row in rows)
        {
            var images = row!["images"]!.AsArray();
            for (var i = 0; i < images.Count; i++)
            {
                images[i] = Path.Combine(Data, (string)images[i]!);
            }
        }

        change(rows);
        Write("rows.json", rows.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        File.Copy(Path.Combine(Data, "dataset_info.json"), Path.Combine(Folder, "dataset_info.json"), overwrite: true);
        Write("dataset_info.json", File.ReadAllText(Path.Combine(Folder, "dataset_info.json")).Replace("tiny_shapes", "rows"));
        return ["dataset=rows", $"dataset_dir={Folder}"];
    }

    /// <summary>A copy of the model's folder that may be damaged, or of another model's.</summary>
    public string CopyOfModel(string name = "model", string? source = null)
    {
        var copy = Directory.CreateDirectory(Path.Combine(Folder, name)).FullName;
        foreach (var file in Directory.GetFiles(source ?? Model))
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }

        return copy;
    }

    /// <summary>The losses of all steps, as they were saved.</summary>
    public double[] Losses(string name)
    {
        var state = TrainerState.Load(Path.Combine(Out(name), TrainerState.FileName));
        return [.. state.LogHistory.Where(e => e.ContainsKey("loss")).Select(e => Convert.ToDouble(e["loss"]))];
    }

    public byte[] Adapter(string name) => File.ReadAllBytes(Path.Combine(Out(name), "adapter_model.safetensors"));

    public string Log(string name) => File.ReadAllText(Path.Combine(Out(name), RunningLogSink.FileName));

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
