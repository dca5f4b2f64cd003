using System.Text.Json;
using Fovea.Files.Pickle;
using Fovea.Files.Safetensors;

namespace Fovea.Tests.Parity.MiniMindV;

/// <summary>
/// Writes <c>..._resume.pth</c> as the published scripts do (<c>vlm_checkpoint</c>): names, their order and the file's keys are those that a run of the
/// scripts recorded (goldens train_*.json).
/// </summary>
/// <param name="golden">The run that says which weights learn.</param>
internal sealed class ScriptsFile(MiniMindFolder folder, JsonElement golden)
{
    /// <summary>From 0.</summary>
    public required int Epoch { get; init; }

    /// <summary>Batches of one rank that are done in it.</summary>
    public required int Batches { get; init; }

    public int Ranks { get; init; } = 1;

    /// <summary>Number every weight, as <c>AdamW(model.parameters())</c> does; else those that learn.</summary>
    public bool NumbersFrozenWeights { get; init; }

    /// <summary>GradScaler's state; null outside of fp16.</summary>
    public (double Scale, int GoodSteps)? Scaler { get; init; }

    /// <param name="checkpoint">A checkpoint of a run of ours, whose weights and moments it gets.</param>
    /// <returns>Where it was written.</returns>
    public string Write(string checkpoint, string path)
    {
        using var weights = Checkpoint.Open(Directory.EnumerateFiles(checkpoint, "*.pth").Single());
        using var optimizer = Checkpoint.Open(Path.Combine(checkpoint, "optimizer.safetensors"));
        using var encoder = Checkpoint.Open(folder.Golden("vision/siglip2-base-p32-256-ve"));
        var model = new OrderedDictionary<string, object?>();
        foreach (var name in Names(golden.GetProperty("saved_weight_file").GetProperty("keys")))
        {
            if (name == "vision_proj.mlp.0.weight")
            {
                foreach (var (part, entry) in encoder.Tensors)
                {
                    model.Add($"vision_encoder.{part}", TensorSource.FromEntry(entry));
                }
            }

            model.Add(name, TensorSource.FromEntry(weights[name]));
        }

        var learns = Names(golden.GetProperty("trainable"));
        var numbered = NumbersFrozenWeights ? [.. model.Keys.Where(name => name != "lm_head.weight")] : learns;
        var states = new OrderedDictionary<object, object?>();
        foreach (var name in learns)
        {
            states.Add((long)numbered.IndexOf(name), new OrderedDictionary<string, object?>
            {
                ["step"] = TensorSource.FromEntry(optimizer[$"{name}.step"]) with { Shape = [] },
                ["exp_avg"] = TensorSource.FromEntry(optimizer[$"{name}.exp_avg"]),
                ["exp_avg_sq"] = TensorSource.FromEntry(optimizer[$"{name}.exp_avg_sq"]),
            });
        }

        var group = new OrderedDictionary<string, object?>
        {
            ["lr"] = 1e-5, ["betas"] = new object?[] { 0.9, 0.999 }, ["eps"] = 1e-8, ["weight_decay"] = 0.01, ["amsgrad"] = false, ["foreach"] = null,
            ["params"] = numbered.Select((_, i) => (object?)(long)i).ToList(),
        };
        var scaler = new OrderedDictionary<string, object?>();
        if (Scaler is var (scale, steps))
        {
            (scaler["scale"], scaler["growth_factor"], scaler["backoff_factor"], scaler["growth_interval"]) = (scale, 2.0, 0.5, 2000L);
            scaler["_growth_tracker"] = (long)steps;
        }

        var values = new Dictionary<string, object?>
        {
            ["model"] = model,
            ["optimizer"] = new OrderedDictionary<string, object?> { ["state"] = states, ["param_groups"] = new List<object?> { group } },
            ["epoch"] = (long)Epoch,
            ["step"] = (long)Batches,
            ["world_size"] = (long)Ranks,
            ["wandb_id"] = null,
            ["scaler"] = scaler,
        };
        var root = new OrderedDictionary<string, object?>();
        foreach (var key in Names(golden.GetProperty("resume_file").GetProperty("keys")))
        {
            root.Add(key, values[key]);
        }

        PickleWriter.Write(path, root);
        return path;
    }

    private static List<string> Names(JsonElement list) => [.. list.EnumerateArray().Select(name => name.GetString()!)];
}
