namespace Fovea;

/// <summary>Paths as users write them: <c>~</c> and <c>~/x</c> lie in the home folder, as in a shell. YAML and <c>--key=value</c> reach no shell.</summary>
internal static class UserPath
{
    /// <summary>What to add where a path in a row of a dataset is not found: those are taken as they stand, as the reference does.</summary>
    public static string NotInRows(string path) => path.StartsWith('~') ? "; ~ is not expanded in rows: write the whole path there" : string.Empty;

    /// <exception cref="ConfigException">It begins with another user's name (<c>~name</c>).</exception>
    public static string Expand(string path) => TryExpand(path, out var expanded) is { } why ? throw new ConfigException($"{path}: {why}") : expanded;

    /// <summary>The same; what is wrong with the path is said in words, null where nothing is.</summary>
    public static string? TryExpand(string path, out string expanded)
    {
        expanded = path;
        if (path.Contains('\0'))
        {
            return "a path with a NUL character names no file";
        }

        if (!path.StartsWith('~'))
        {
            return null;
        }

        if (path.Length > 1 && path[1] != '/')
        {
            return $"another user's home folder (~name) is not looked up; write the whole path, or ./{path} for a name that begins with ~";
        }

        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        expanded = path.Length <= 2 ? home : Path.Combine(home, path[2..].TrimStart('/'));
        return home.Length == 0 ? "this user has no home folder; set HOME, or write the whole path" : null;
    }
}
