namespace Fovea;

/// <summary>User input (configuration, dataset, command line) is invalid. Lists all problems at once. Exit code 2.</summary>
public sealed class ConfigException : FoveaException
{
    /// <summary>Creates one with a single problem.</summary>
    public ConfigException(string problem)
        : this([problem])
    {
    }

    /// <summary>Creates one with all problems that were found.</summary>
    public ConfigException(IReadOnlyList<string> problems)
        : base(string.Join('\n', problems)) => Problems = problems;

    /// <summary>One entry per problem: key path or location, what is wrong, what is allowed.</summary>
    public IReadOnlyList<string> Problems { get; }
}
