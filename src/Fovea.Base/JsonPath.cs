using System.Text;
using System.Text.Json;

namespace Fovea;

/// <summary>Follows a reader and gives the keys that lead to its position, for instance <c>messages[1].content</c>.</summary>
internal sealed class JsonPath
{
    // One entry a level: the key last read, or the index of the item; -1 before the first.
    private readonly List<(string? Key, int Index)> levels = [];

    /// <summary>After every read.</summary>
    public void Step(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.PropertyName)
        {
            levels[^1] = (Encoding.UTF8.GetString(reader.ValueSpan), -1);
            return;
        }

        if (reader.TokenType is JsonTokenType.EndObject or JsonTokenType.EndArray)
        {
            levels.RemoveAt(levels.Count - 1);
            return;
        }

        if (levels.Count > 0 && levels[^1].Key is null)
        {
            levels[^1] = (null, levels[^1].Index + 1);
        }

        if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
        {
            levels.Add((reader.TokenType == JsonTokenType.StartObject ? string.Empty : null, -1));
        }
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (var (key, index) in levels)
        {
            text.Append(key switch
            {
                null when index < 0 => string.Empty,
                null => $"[{index}]",
                "" => string.Empty,
                _ => text.Length == 0 ? key : $".{key}",
            });
        }

        return text.ToString();
    }
}
