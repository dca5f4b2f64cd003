using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Data.Images;
using Fovea.Generation;
using Fovea.Models;
using Fovea.Models.Configs;
using Fovea.Nn;
using Fovea.Training.Config;
using Fovea.Training.Planning;

namespace Fovea.Tests.Unit.Configs;

/// <summary>
/// Changes every field of a model folder's JSON files in turn and looks at what becomes of it: it must change a result, be refused by name, or stand in the
/// family's table with the reason why it changes nothing; and what stands there must change nothing.
/// </summary>
internal static class FieldEffects
{
    /// <param name="folder">A model folder whose weights are not read.</param>
    /// <param name="image">A picture that the model is shown.</param>
    /// <param name="files">JSON files of it, and the table of an object in them by its path (empty for the file itself).</param>
    /// <param name="elsewhere">Fields whose effect no answer shows, and where it lies.</param>
    public static void Check(
        string folder, string image, IReadOnlyDictionary<string, Func<string, FieldTable>> files, IReadOnlyDictionary<string, string> elsewhere)
    {
        var plain = Result(folder, image);
        var (changed, refused, idle) = (0, 0, 0);
        var wrong = new List<string>();
        foreach (var (name, tableOf) in files)
        {
            var file = Path.Combine(folder, name);
            var before = File.ReadAllText(file);
            var together = before;
            foreach (var (path, values) in Leaves(JsonNode.Parse(before)!, string.Empty))
            {
                if (Reason(path, tableOf) is not null)
                {
                    together = With(together, path, values[0]);
                    idle++;
                    continue;
                }

                // The first value that matters is enough.
                var seen = values.Select(value => Try($"{name}: {path}", value, file, before, path)).FirstOrDefault(outcome => outcome != "nothing");
                changed += seen == "changed" ? 1 : 0;
                refused += seen == "refused" ? 1 : 0;
                if (seen is null && !elsewhere.ContainsKey(path))
                {
                    wrong.Add($"{name}: {path} is neither honoured nor refused: {string.Join(", ", values.Select(v => v.ToJsonString()))} change nothing");
                }
            }

            File.WriteAllText(file, together);
            if (Result(folder, image) != plain)
            {
                wrong.Add($"{name}: one of the fields that are said to change nothing changes a result: {together}");
            }

            File.WriteAllText(file, before);
        }

        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
        Assert.True(changed >= 8 && refused >= 2 && idle >= 1, $"{changed} fields changed a result, {refused} were refused, {idle} did nothing: too few");

        string Try(string at, JsonNode value, string file, string before, string path)
        {
            File.WriteAllText(file, With(before, path, value));
            try
            {
                return Result(folder, image) == plain ? "nothing" : "changed";
            }
            catch (ConfigException e) when (e.Message.Contains(path.Split('.')[^1], StringComparison.Ordinal))
            {
                return "refused";
            }
            catch (Exception e)
            {
                wrong.Add($"{at} = {value.ToJsonString()} ends in {e.GetType().Name}, which does not name it: {e.Message}");
                return "wrong";
            }
            finally
            {
                File.WriteAllText(file, before);
            }
        }
    }

    /// <summary>Every leaf of a JSON value, with values that it might have instead.</summary>
    public static IEnumerable<(string Path, IReadOnlyList<JsonNode> Values)> Leaves(JsonNode node, string path)
    {
        if (node is JsonObject fields)
        {
            foreach (var (name, value) in fields)
            {
                var at = path.Length == 0 ? name : $"{path}.{name}";
                if (value is JsonObject)
                {
                    foreach (var leaf in Leaves(value, at))
                    {
                        yield return leaf;
                    }
                }
                else
                {
                    // The area of a picture must be far off to matter.
                    yield return (at, name.EndsWith("_pixels", StringComparison.Ordinal) && value is JsonValue
                        ? [JsonValue.Create(value.GetValue<int>() * 100L), JsonValue.Create(value.GetValue<int>() / 3000)]
                        : Others(value));
                }
            }
        }
    }

    public static string With(string json, string path, JsonNode value)
    {
        var root = JsonNode.Parse(json)!;
        var keys = path.Split('.');
        var at = keys.SkipLast(1).Aggregate(root, (node, key) => node[key]!);
        at[keys[^1]] = value.DeepClone();
        return root.ToJsonString();
    }

    private static string? Reason(string path, Func<string, FieldTable> tableOf)
    {
        var cut = path.LastIndexOf('.');
        var parent = cut < 0 ? string.Empty : path[..cut];

        // An object that is not looked into, such as a text tower's, has its reason as a whole.
        for (var above = parent; above.Length > 0;)
        {
            var up = above.LastIndexOf('.');
            var outer = up < 0 ? string.Empty : above[..up];
            if (tableOf(outer).ReasonOf(above[(up + 1)..]) is { } whole)
            {
                return whole;
            }

            above = outer;
        }

        return tableOf(parent).ReasonOf(path[(cut + 1)..]);
    }

    private static IReadOnlyList<JsonNode> Others(JsonNode? value) => value switch
    {
        null => [JsonValue.Create(3), JsonValue.Create("other")],
        JsonArray { Count: > 1 } list => [Changed(list, Others(list[0])[0]), Shorter(list)],
        JsonArray { Count: 1 } list => [Changed(list, Others(list[0])[0])],
        JsonArray => [JsonNode.Parse("[1]")!],
        _ => value.GetValueKind() switch
        {
            JsonValueKind.True => [JsonValue.Create(false)],
            JsonValueKind.False => [JsonValue.Create(true)],
            JsonValueKind.String => double.TryParse(value.GetValue<string>(), CultureInfo.InvariantCulture, out _)
                ? [JsonValue.Create("3.5"), JsonValue.Create("4")]
                : [JsonValue.Create("other")],
            _ when value.ToJsonString().AsSpan().IndexOfAny('.', 'e', 'E') >= 0 => value.GetValue<double>() == 0
                ? [JsonValue.Create(0.25)]
                : [JsonValue.Create(value.GetValue<double>() * 100), JsonValue.Create(value.GetValue<double>() + 0.5)],
            _ => [JsonValue.Create(value.GetValue<int>() + 1), JsonValue.Create(value.GetValue<int>() * 2)],
        },
    };

    private static JsonNode Changed(JsonArray list, JsonNode first)
    {
        var other = list.DeepClone().AsArray();
        other[0] = first.DeepClone();
        return other;
    }

    private static JsonNode Shorter(JsonArray list)
    {
        var other = list.DeepClone().AsArray();
        other.RemoveAt(other.Count - 1);
        return other;
    }

    /// <summary>
    /// Everything that a folder's files decide: the prompt with its picture, logits, losses beside them, the longest sequence, the element type.
    /// </summary>
    private static string Result(string folder, string image)
    {
        using var noGrad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        var source = ModelSource.Open(folder);
        var processor = source.Process(new PreResize(768 * 768, 32 * 32));
        var prompts = new PromptBuilder(processor.Tokenizer, processor.Template, processor.Images);
        var prompt = prompts.Build(new([prompts.Question("What is in the picture?", [image])]), [prompts.Read(image)]);
        using var model = source.Build(new NamedSource(), new ModelOptions());
        source.Family.UnknownFields(source);
        long[] ids = [.. prompt.Ids.Select(id => (long)id)];
        var side = new SideLosses();
        var input = model.PreparePrompt(ids, prompt.Images, 0, new PackedAttention(new Segments([0, ids.Length])), out _) with
        {
            Side = side,
            Groups = [new TokenGroup(0, ids.Length, 1)],
        };
        var logits = model.Hidden(input, model.VisionFeatures(input)).Linear(model.Head.Use());
        using var shapes = ModelShapes.Load(new TrainConfig
        {
            Model = new ModelSection { ModelNameOrPath = folder }, Tuning = new TuningSection { FinetuningType = FinetuningType.Full },
        }, source);
        var hash = SHA256.HashData(MemoryMarshal.AsBytes<float>(logits.Slice(1, 0, 100).Contiguous().ToArray<float>()));
        return $"{Convert.ToHexString(hash)} {side.Close()?.Item()} {ids.Length} {model.MaxTokens} {shapes.Stored} {model.Head.Shape[0]}";
    }
}
