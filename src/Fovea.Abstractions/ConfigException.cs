namespace Fovea;

/// <summary>Something the user wrote (configuration, data set, command line) is wrong. Lists every problem found at once. Exit code 2.</summary>
public sealed class ConfigException : FoveaException
{
    /// <summary>With the one problem that was found.</summary>
    public ConfigException(string problem)
        : this([problem])
    {
    }

    /// <summary>With all the problems that were found.</summary>
    public ConfigException(IReadOnlyList<string> problems)
        : base(string.Join('\n', problems)) => Problems = problems;

    /// <summary>One entry a problem: key path or place, what is wrong, what is allowed.</summary>
    public IReadOnlyList<string> Problems { get; }
}
