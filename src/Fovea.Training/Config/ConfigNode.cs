using System.Text;
using System.Text.Json;

namespace Fovea.Training.Config;

/// <summary>A value as the user wrote it, before it has a type.</summary>
internal abstract record ConfigNode
{
    /// <summary>A null, an empty list or map, or a word for "off" (<c>false</c>, <c>no</c>, <c>none</c>, <c>0</c>): asks for nothing.</summary>
    public abstract bool IsOff { get; }

    /// <summary>The value as JSON, which reads back to the same value.</summary>
    public abstract string ToJson();

    internal sealed record Scalar(string? Text) : ConfigNode
    {
        /// <summary>Text without quotes, of which some words mean nothing.</summary>
        public static Scalar Plain(string? text) => new(text is null or "" or "~" or "null" or "Null" or "NULL" ? null : text);

        public override string ToJson() => Text is null ? "null" : IsLiteral(Text) ? Text : JsonSerializer.Serialize(Text);

        private static bool IsLiteral(string text)
        {
            try
            {
                using var json = JsonText.Parse(Encoding.UTF8.GetBytes(text));
                return json.RootElement.ValueKind is JsonValueKind.True or JsonValueKind.False or JsonValueKind.Number;
            }
            catch (JsonException)
            {
                return false;
            }
        }

        public override bool IsOff => Text is null || Text.ToLowerInvariant() is "" or "false" or "no" or "none" or "off" or "0" or "0.0";

        public override string ToString() => Text ?? "null";
    }

    internal sealed record Items(IReadOnlyList<ConfigNode> Values) : ConfigNode
    {
        public override bool IsOff => Values.Count == 0;

        public override string ToJson() => $"[{string.Join(", ", Values.Select(value => value.ToJson()))}]";

        public override string ToString() => $"[{string.Join(", ", Values)}]";
    }

    internal sealed record Map(IReadOnlyList<KeyValuePair<string, ConfigNode>> Pairs) : ConfigNode
    {
        public override bool IsOff => Pairs.Count == 0;

        public override string ToJson() => $"{{{string.Join(", ", Pairs.Select(pair => $"{JsonSerializer.Serialize(pair.Key)}: {pair.Value.ToJson()}"))}}}";

        public override string ToString() => $"{{{string.Join(", ", Pairs.Select(pair => $"{pair.Key}: {pair.Value}"))}}}";
    }
}
