namespace Fovea.Data.Templates;

/// <summary>
/// How a conversation is written as text for one kind of model. Slots hold <c>{{content}}</c> once. Each slot is tokenised on its own,
/// as LLaMA-Factory does, so no token spans two of them.
/// </summary>
internal sealed record ChatTemplate
{
    /// <summary>Where a slot's text goes.</summary>
    public const string Content = "{{content}}";

    public required string Name { get; init; }

    /// <summary>Text before everything else.</summary>
    public string Prefix { get; init; } = string.Empty;

    public required string System { get; init; }

    /// <summary>A question, up to where the answer begins.</summary>
    public required string User { get; init; }

    /// <summary>An answer and what ends it; this is what is trained.</summary>
    public required string Assistant { get; init; }

    /// <summary>The system prompt of conversations without one; none when empty.</summary>
    public string DefaultSystem { get; init; } = string.Empty;

    /// <summary>Tokens that end an answer when generating.</summary>
    public required IReadOnlyList<string> StopWords { get; init; }

    /// <summary>The token that stands for a piece of an image, repeated as often as the image needs; null for models of text only.</summary>
    public string? ImageToken { get; init; }

    /// <summary>Text before the image tokens.</summary>
    public string ImageOpen { get; init; } = string.Empty;

    /// <summary>Text after the image tokens.</summary>
    public string ImageClose { get; init; } = string.Empty;

    /// <summary>Text behind each image that a question shows without saying where.</summary>
    public string ImageEnd { get; init; } = string.Empty;

    /// <summary>What marks an answer's thought; null for templates whose answers have none.</summary>
    public ThoughtMarks? Thought { get; init; }

    /// <summary>The model's own template, which then writes conversations; null where the slots do.</summary>
    public ModelTemplate? Model { get; init; }

    internal static string Fill(string slot, string content)
    {
        var at = slot.IndexOf(Content, StringComparison.Ordinal);
        return at < 0 ? slot : string.Concat(slot.AsSpan(0, at), content, slot.AsSpan(at + Content.Length));
    }
}
