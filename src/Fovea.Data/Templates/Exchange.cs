namespace Fovea.Data.Templates;

/// <summary>What is answered, and its answer.</summary>
/// <param name="Asked">A question; or the results of the tools that the answer before called, one a message.</param>
/// <param name="Assistant">The answer.</param>
internal sealed record Exchange(IReadOnlyList<Message> Asked, Message Assistant)
{
    /// <summary>The question, where there are no tools.</summary>
    public Message User => Asked[0];
}
