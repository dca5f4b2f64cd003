#nullable disable // whether an option may be left out is said where it is made
using System.CommandLine;
using System.CommandLine.Parsing;

namespace Fovea.Cli.Verbs;

/// <summary>Options and arguments that are paths: <c>~</c> is the home folder in them however they are written (<c>--out=~/x</c> reaches no shell).</summary>
internal static class PathWords
{
    public static Option<string> IsPath(this Option<string> option)
    {
        option.CustomParser = One;
        return option;
    }

    public static Option<string[]> IsPath(this Option<string[]> option)
    {
        option.CustomParser = All;
        return option;
    }

    public static Argument<string> IsPath(this Argument<string> argument)
    {
        argument.CustomParser = One;
        return argument;
    }

    public static Argument<string[]> IsPath(this Argument<string[]> argument)
    {
        argument.CustomParser = All;
        return argument;
    }

    private static string One(ArgumentResult result) => result.Tokens.Count == 0 ? null : UserPath.Expand(result.Tokens[^1].Value);

    private static string[] All(ArgumentResult result) => [.. result.Tokens.Select(token => UserPath.Expand(token.Value))];
}
