using System.Text.Json;

namespace Fovea.Data.Tokenizers;

/// <summary>What <c>tokenizer_config.json</c> and <c>chat_template.jinja</c> beside a tokenizer say. Absent files leave everything null.</summary>
internal sealed record TokenizerSettings(string? Eos, string? Pad, string? Bos, string? ChatTemplate, IReadOnlyList<AddedToken> AddedTokens)
{
    internal static TokenizerSettings Read(string folder)
    {
        var path = Path.Combine(folder, "tokenizer_config.json");
        var templatePath = Path.Combine(folder, "chat_template.jinja");
        var template = File.Exists(templatePath) ? TextFile.Read(templatePath) : null;
        if (!File.Exists(path))
        {
            return new TokenizerSettings(null, null, null, template, []);
        }

        using var document = JsonFile.ReadObject(path);
        var root = document.RootElement;
        return new TokenizerSettings(
            TokenText(root, "eos_token"), TokenText(root, "pad_token"), TokenText(root, "bos_token"), template ?? Template(root), Added(root, path));
    }

    /// <summary>A token is a string, an object with its content, or null.</summary>
    private static string? TokenText(JsonElement root, string key)
    {
        if (root.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Object && value.TryGetProperty("content", out var content))
        {
            value = content;
        }

        return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }

    /// <summary>One template, or a list of named ones of which "default" counts.</summary>
    private static string? Template(JsonElement root)
    {
        if (!root.TryGetProperty("chat_template", out var value) || value.ValueKind != JsonValueKind.Array)
        {
            return TokenText(root, "chat_template");
        }

        foreach (var item in value.EnumerateArray())
        {
            if (item.ValueKind == JsonValueKind.Object && TokenText(item, "name") == "default")
            {
                return TokenText(item, "template");
            }
        }

        return null;
    }

    private static List<AddedToken> Added(JsonElement root, string path)
    {
        var tokens = new List<AddedToken>();
        if (root.TryGetProperty("added_tokens_decoder", out var added) && added.ValueKind == JsonValueKind.Object)
        {
            foreach (var entry in added.EnumerateObject())
            {
                if (!int.TryParse(entry.Name, out var id) || AddedTokenReader.Read(entry.Value, id) is not { } token)
                {
                    throw new ConfigException($"{path}: added_tokens_decoder[\"{entry.Name}\"] is no token: an id and an object with \"content\" are expected");
                }

                tokens.Add(token);
            }
        }

        return tokens;
    }
}
