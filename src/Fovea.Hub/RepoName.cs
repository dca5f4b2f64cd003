using System.Text.RegularExpressions;

namespace Fovea.Hub;

/// <summary>A repository as users name it: <c>org/name</c>, or <c>name</c> alone for the few that belong to nobody; <c>@revision</c> may follow.</summary>
internal sealed partial record RepoName(RepoKind Kind, string Id, string? Revision = null)
{
    private const int LongestId = 96;

    /// <summary>The first part, or null.</summary>
    public string? Owner => Id.Contains('/') ? Id[..Id.IndexOf('/')] : null;

    /// <summary>The last part.</summary>
    public string Name => Id[(Id.IndexOf('/') + 1)..];

    /// <summary>The plural under which hubs keep the kind.</summary>
    public string Plural => Kind == RepoKind.Dataset ? "datasets" : "models";

    /// <summary>Reads a name; null where it cannot be one, so that it can only be a path.</summary>
    public static RepoName? TryParse(string text, RepoKind kind = RepoKind.Model)
    {
        var at = text.IndexOf('@');
        var (id, revision) = at < 0 ? (text, null) : (text[..at], text[(at + 1)..]);
        return id.Length <= LongestId && Shape().IsMatch(id) && !id.EndsWith(".git", StringComparison.Ordinal) && IsRevision(revision)
            ? new RepoName(kind, id, revision)
            : null;
    }

    /// <exception cref="ConfigException">It is no name of a repository.</exception>
    public static RepoName Parse(string text, RepoKind kind = RepoKind.Model) => TryParse(text, kind)
        ?? throw new ConfigException($"'{text}' is not the name of a repository: org/name is expected, with letters, digits, '-', '_' and '.' in both");

    /// <summary>Whether a revision is a whole commit, which never changes.</summary>
    public static bool IsCommit(string revision) => revision.Length == 40 && revision.All(char.IsAsciiHexDigitLower);

    public override string ToString() => Revision is null ? Id : $"{Id}@{Revision}";

    // It becomes a file below refs/: what leaves that folder is no revision of git either.
    private static bool IsRevision(string? revision) => revision is null
        || (revision.Length > 0 && !revision.StartsWith('/') && !revision.EndsWith('/') && !revision.Contains("..", StringComparison.Ordinal)
            && !revision.Any(c => char.IsControl(c) || c is ' ' or '\\' or '~' or '^' or ':' or '?' or '*' or '['));

    [GeneratedRegex(@"\A(?!.*(?:--|\.\.))(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?/)?[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\z",
        RegexOptions.CultureInvariant)]
    private static partial Regex Shape();
}
