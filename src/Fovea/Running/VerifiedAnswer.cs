namespace Fovea.Running;

/// <summary>What one side said to one row.</summary>
internal sealed record VerifiedAnswer
{
    /// <summary>Ids of the prompt, images expanded; null where a server keeps them to itself.</summary>
    public IReadOnlyList<int>? Prompt { get; init; }

    /// <summary>The prompt as text, to show where two differ.</summary>
    public string PromptText { get; init; } = string.Empty;

    /// <summary>The tokens, without the one that ended the answer on its own; null where only the text is known.</summary>
    public IReadOnlyList<VerifiedToken>? Tokens { get; init; }

    /// <summary>The token that ended the answer; null where the limit did.</summary>
    public VerifiedToken? End { get; init; }

    /// <summary>Whether the model ended the answer; null where it is not known.</summary>
    public bool? Ended { get; init; }

    public string Text { get; init; } = string.Empty;

    /// <summary>Why there is no answer.</summary>
    public string? Problem { get; init; }
}
