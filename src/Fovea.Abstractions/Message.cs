namespace Fovea;

/// <summary>
/// One turn of one speaker: parts in the order in which the model reads them. Messages with the same role and equal parts are equal, if they are trained alike.
/// </summary>
/// <param name="Role">Who speaks.</param>
/// <param name="Parts">Any number, none for an empty message.</param>
public sealed record Message(Role Role, IReadOnlyList<Part> Parts)
{
    /// <summary>For an answer in training: whether it is trained, whatever the configuration says; null leaves it to that.</summary>
    public bool? Trained { get; init; }

    /// <summary>For an answer in training: a factor on the loss of its tokens, at least 0, in place of what <c>loss_scale</c> says; null for none.</summary>
    public double? Weight { get; init; }

    /// <summary>Instructions to the model, before the conversation.</summary>
    /// <param name="text">The system prompt.</param>
    public static Message System(string text) => new(Role.System, [new Text(text)]);

    /// <summary>A question.</summary>
    /// <param name="parts">Text and media in order; strings are text.</param>
    public static Message User(params Part[] parts) => new(Role.User, parts);

    /// <summary>An answer.</summary>
    /// <param name="parts">Text and media in order; strings are text.</param>
    public static Message Assistant(params Part[] parts) => new(Role.Assistant, parts);

    /// <summary>Whether the other message has the same role and equal parts.</summary>
    /// <param name="other">Null is never equal.</param>
    public bool Equals(Message? other) =>
        other is not null && Role == other.Role && Trained == other.Trained && Weight == other.Weight && Parts.SequenceEqual(other.Parts);

    /// <summary>Consistent with <see cref="Equals(Message)"/>.</summary>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.Add(Role);
        foreach (var part in Parts)
        {
            hash.Add(part);
        }

        return hash.ToHashCode();
    }
}
