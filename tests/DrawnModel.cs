using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Fovea.Files.Pickle;
using Fovea.Files.Safetensors;
using Fovea.Models.Saving;

namespace Fovea.Tests;

/// <summary>
/// Goldens whose random weights do not lie in the checkout: <c>weights.json</c> says how they were drawn, and the same generator draws every bit of them
/// again (tests/goldens/shrink.py made and checked it). The whole folder is laid into <c>artifacts/goldens</c>, once.
/// </summary>
internal static class DrawnModel
{
    private const string Recipe = "weights.json";
    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, string> Made = new(StringComparer.Ordinal);

    /// <summary>Where a golden lies whose weights were drawn; the path itself for any other.</summary>
    public static string Place(string path)
    {
        for (var folder = path; folder.Length > TestFiles.Root.Length; folder = Path.GetDirectoryName(folder)!)
        {
            if (File.Exists(Path.Combine(folder, Recipe)))
            {
                return Complete(folder) + path[folder.Length..];
            }
        }

        return path;
    }

    private static string Complete(string source)
    {
        lock (Gate)
        {
            if (!Made.TryGetValue(source, out var folder))
            {
                var files = Directory.GetFiles(source).Order(StringComparer.Ordinal).ToArray();
                using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                foreach (var file in files)
                {
                    hash.AppendData(File.ReadAllBytes(file));
                }

                var name = $"{Path.GetFileName(Path.GetDirectoryName(source))}-{Convert.ToHexStringLower(hash.GetHashAndReset())[..12]}";
                folder = Path.Combine(TestFiles.Root, "artifacts", "goldens", name, Path.GetFileName(source));
                if (!Directory.Exists(folder))
                {
                    Lay(source, files, folder);
                }

                Made.Add(source, folder);
            }

            return folder;
        }
    }

    private static void Lay(string source, string[] files, string folder)
    {
        var fresh = $"{folder}.{Environment.ProcessId}";
        Directory.CreateDirectory(fresh);
        foreach (var file in files.Where(file => Path.GetFileName(file) is not (Recipe or "kept.safetensors")))
        {
            File.Copy(file, Path.Combine(fresh, Path.GetFileName(file)));
        }

        Draw(source, fresh);
        try
        {
            Directory.Move(fresh, folder);
        }
        catch (IOException) when (Directory.Exists(folder))
        {
            // Another test run was faster.
            Directory.Delete(fresh, recursive: true);
        }
    }

    private static void Draw(string source, string folder)
    {
        using var scope = TensorScope.Open("step");
        var recipe = JsonSerializer.Deserialize<Draws>(File.ReadAllBytes(Path.Combine(source, Recipe)), JsonSerializerOptions.Web)!;
        var tensors = new List<TensorSource>();
        Torch.Seed(recipe.Seed);
        foreach (var draw in recipe.Tensors)
        {
            var value = CreateOps.Empty(draw.Shape, DType.F32).Normal_(0, 1).Mul(draw.Deviation).Add(draw.Mean);
            var flat = value.View(-1);
            foreach (var (place, expected) in new[] { (0, draw.First), (flat.Count - 1, draw.Last) })
            {
                var found = flat.Slice(0, place, place + 1).ToArray<float>()[0];
                Assert.True(Math.Abs(found - expected) <= 1e-6, $"{draw.Name}[{place}] is drawn as {found}, not {expected}: this libtorch draws otherwise");
            }

            tensors.Add(TensorBytes.Source(draw.Name, value));
        }

        if (recipe.File is not null)
        {
            var ties = (recipe.Ties ?? []).Select(tie => tensors.First(tensor => tensor.Name == tie.Value) with { Name = tie.Key });
            PickleWriter.WriteStateDict(Path.Combine(folder, recipe.File), [.. tensors, .. ties]);
            return;
        }

        var kept = Path.Combine(source, "kept.safetensors");
        using var rest = File.Exists(kept) ? Checkpoint.Open(kept) : null;
        tensors.AddRange(rest?.Tensors.Values.Select(TensorSource.FromEntry) ?? []);
        SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"), [.. tensors.OrderBy(tensor => tensor.Name, StringComparer.Ordinal)]);
    }

    private sealed record Draws(ulong Seed, [property: JsonPropertyName("draws")] IReadOnlyList<Draws.One> Tensors)
    {
        /// <summary>A file of <c>torch.save</c>; null is model.safetensors.</summary>
        public string? File { get; init; }

        /// <summary>Names that stand for the values of another.</summary>
        public Dictionary<string, string>? Ties { get; init; }

        public sealed record One(string Name, long[] Shape, double Deviation, double Mean, float First, float Last);
    }
}
