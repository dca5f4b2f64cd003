namespace Fovea.Training.Config;

/// <summary>A value as the user wrote it, before it has a type.</summary>
internal abstract record ConfigNode
{
    /// <summary>A null, an empty list or map, or a word for "off" (<c>false</c>, <c>no</c>, <c>none</c>, <c>0</c>): asks for nothing.</summary>
    public abstract bool IsOff { get; }

    internal sealed record Scalar(string? Text) : ConfigNode
    {
        public override bool IsOff => Text is null || Text.ToLowerInvariant() is "" or "false" or "no" or "none" or "off" or "0" or "0.0";

        public override string ToString() => Text ?? "null";
    }

    internal sealed record Items(IReadOnlyList<ConfigNode> Values) : ConfigNode
    {
        public override bool IsOff => Values.Count == 0;

        public override string ToString() => $"[{string.Join(", ", Values)}]";
    }

    internal sealed record Map(IReadOnlyList<KeyValuePair<string, ConfigNode>> Pairs) : ConfigNode
    {
        public override bool IsOff => Pairs.Count == 0;

        public override string ToString() => $"{{{string.Join(", ", Pairs.Select(pair => $"{pair.Key}: {pair.Value}"))}}}";
    }
}
