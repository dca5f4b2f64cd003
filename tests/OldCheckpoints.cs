using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Runs.Files;

namespace Fovea.Tests;

/// <summary>
/// Checkpoints that the build of commit 1454e90 wrote, and the losses that it learns with when it goes on from them (tests/goldens/checkpoints/make.sh).
/// </summary>
internal sealed class OldCheckpoints : IDisposable
{
    public static readonly string Folder = TestFiles.Golden("checkpoints");
    private static readonly JsonElement Golden = Parity.Golden.Json(Path.Combine(Folder, "losses.json"));
    private readonly string output = Directory.CreateTempSubdirectory("fovea-old-checkpoints").FullName;

    /// <summary>
    /// Whether every bit must be the same. Other processors sum in another order, and so does another libtorch: there the losses must be near. Virtual machines
    /// hide a processor's instructions from some guests; this one's had those for bf16.
    /// </summary>
    private static bool IsSameMachine =>
        Processor.Name == Golden.GetProperty("processor").GetString() && Processor.Flags.Contains("avx512_bf16")
        && Torch.Version == Golden.GetProperty("libtorch").GetString();

    public string Out(string name) => Path.Combine(output, name);

    public static string Of(string name) => Path.Combine(Folder, Case(name).GetProperty("checkpoint").GetString()!);

    /// <summary>The keys of the configuration that its progress tells the values of; null of a file of other scripts.</summary>
    public static IReadOnlyList<string>? Told(string checkpoint) => Directory.Exists(checkpoint)
        ? [.. JsonNode.Parse(File.ReadAllText(Path.Combine(checkpoint, "fovea_state.json")))!["settings"]!.AsObject().Select(setting => setting.Key)]
        : null;

    /// <summary>The configuration of the run and what is to be replaced in it so that it goes on.</summary>
    /// <param name="from">The checkpoint; null is the case's own.</param>
    public (string Config, string[] Overrides) Resumed(string name, string? from = null)
    {
        var golden = Case(name);
        var config = golden.GetProperty("config").GetString()!;
        var isQwen = config.StartsWith("qwen", StringComparison.Ordinal);
        string[] places = isQwen
            ? [$"model_name_or_path={Path.Combine(Folder, "models", "qwen")}", $"dataset_dir={TestFiles.Golden("qwen2_5_vl_tiny/data")}"]
            :
            [
                $"model_name_or_path={Path.Combine(Folder, "models", "minimind")}", $"data_path={TestFiles.Golden("minimind_c/data/train.rows.json")}",
                $"images_path={TestFiles.Golden("minimind_c/data/images")}",
            ];
        var overrides = golden.GetProperty("overrides").EnumerateArray().Select(text => text.GetString()!);
        return (Path.Combine(Folder, config),
            [.. places, .. overrides, $"output_dir={Out(name)}", "save_strategy=no", $"resume_from_checkpoint={from ?? Of(name)}"]);
    }

    /// <summary>Asserts that the run has finished with the losses and the files of the old build.</summary>
    /// <param name="nearby">How much a loss may differ on another machine.</param>
    public void Check(string name, double nearby)
    {
        var golden = Case(name);
        var expected = golden.GetProperty("losses").EnumerateArray().Select(loss => loss.GetDouble()).ToList();
        var state = TrainerState.Load(Path.Combine(Out(name), TrainerState.FileName));
        Assert.Equal(state.MaxSteps, state.GlobalStep);
        var losses = state.LogHistory.Where(e => e.ContainsKey("loss")).Select(e => Convert.ToDouble(e["loss"])).TakeLast(expected.Count).ToList();
        if (!IsSameMachine)
        {
            Assert.All(expected.Zip(losses), pair => Assert.Equal(pair.First, pair.Second, nearby));
            return;
        }

        Assert.Equal(expected, losses);
        foreach (var file in golden.GetProperty("results").EnumerateObject())
        {
            Assert.Equal(file.Value.GetString(), Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(Out(name), file.Name)))));
        }
    }

    /// <summary>Asserts that the run says which settings of today the checkpoint does not tell, and of no other that it does not.</summary>
    public void CheckUnknown(string name, IReadOnlyDictionary<string, string> settings, IReadOnlyList<string> told)
    {
        var log = File.ReadAllText(Path.Combine(Out(name), RunningLogSink.FileName));
        var unknown = settings.Keys.Where(key => !told.Contains(key)).ToList();
        if (unknown.Count == 0)
        {
            Assert.DoesNotContain("is of an earlier version", log, StringComparison.Ordinal);
        }
        else
        {
            Assert.Contains($"is of an earlier version and does not record {string.Join(", ", unknown)}: whether", log, StringComparison.Ordinal);
        }
    }

    public void Dispose() => Directory.Delete(output, recursive: true);

    private static JsonElement Case(string name) => Golden.GetProperty("cases").GetProperty(name);
}
