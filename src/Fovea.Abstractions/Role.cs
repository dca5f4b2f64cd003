namespace Fovea;

/// <summary>Who speaks in a <see cref="Message"/>.</summary>
public enum Role
{
    /// <summary>What the model is told before the conversation; at most one such message, and the first.</summary>
    System,

    /// <summary>The one who asks.</summary>
    User,

    /// <summary>The model; in training, what it is to say.</summary>
    Assistant,

    /// <summary>A tool that the model called.</summary>
    Tool,
}
