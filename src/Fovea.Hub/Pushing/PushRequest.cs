namespace Fovea.Hub.Pushing;

/// <summary>What is to be pushed, and where to.</summary>
/// <param name="Id"><c>org/name</c>, or <c>name</c> alone in the token's own account.</param>
internal sealed record PushRequest(string Id, IReadOnlyList<PushFile> Files)
{
    public RepoKind Kind { get; init; } = RepoKind.Model;

    /// <summary>Of a repository that has to be created; null leaves it to the account.</summary>
    public bool? Private { get; init; }

    /// <summary>The commit's first line.</summary>
    public string Message { get; init; } = "Upload with Fovea";

    /// <summary>A branch; created where it is not there.</summary>
    public string Revision { get; init; } = "main";

    /// <summary>Receives one line a stage.</summary>
    public Action<string> Say { get; init; } = _ => { };
}
