using System.Text.Json.Nodes;
using Fovea.Data.Tokenizers;

namespace Fovea.Tests.Unit.Tokenizers;

/// <summary>Tokenizers of a few tokens, written to a temporary folder and loaded from there.</summary>
internal static class TinyTokenizer
{
    /// <param name="parts">Members of the file's top object as JSON text; <c>model</c> is built from the other parameters.</param>
    /// <param name="merges">JSON array of merges.</param>
    /// <param name="modelOptions">Further members of the model.</param>
    internal static Tokenizer Load(string[] vocabulary, string merges = "[]", string modelOptions = "{}", string parts = "{}", string? settings = null)
    {
        var folder = Directory.CreateTempSubdirectory("fovea-tokenizer-");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "tokenizer.json"), Json(vocabulary, merges, modelOptions, parts));
            if (settings is not null)
            {
                File.WriteAllText(Path.Combine(folder.FullName, "tokenizer_config.json"), settings);
            }

            return Tokenizer.Load(folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    internal static IReadOnlyList<string> ProblemsOf(string json)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, json);
            return Assert.Throws<ConfigException>(() => Tokenizer.Load(file)).Problems;
        }
        finally
        {
            File.Delete(file);
        }
    }

    internal static string Json(string[] vocabulary, string merges = "[]", string modelOptions = "{}", string parts = "{}")
    {
        var root = JsonNode.Parse(parts)!.AsObject();
        var model = JsonNode.Parse(modelOptions)!.AsObject();
        model.TryAdd("type", "BPE");
        model["merges"] = JsonNode.Parse(merges);
        model["vocab"] = new JsonObject(vocabulary.Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id)));
        root["model"] = model;
        return root.ToJsonString();
    }
}
