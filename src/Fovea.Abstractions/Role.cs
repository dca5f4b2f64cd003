namespace Fovea;

/// <summary>Who speaks in a <see cref="Message"/>.</summary>
public enum Role
{
    /// <summary>Instructions to the model; at most one such message, and only as the first.</summary>
    System,

    /// <summary>The person who asks.</summary>
    User,

    /// <summary>The model; in training, the answer it is trained on.</summary>
    Assistant,

    /// <summary>A tool that the model called.</summary>
    Tool,
}
