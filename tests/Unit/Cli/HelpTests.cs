using System.CommandLine;
using Fovea.Cli;

namespace Fovea.Tests.Unit.Cli;

/// <summary>The list of verbs is a list; each verb's own help says more.</summary>
public sealed class HelpTests
{
    public static TheoryData<string> Verbs => [.. Program.Root().Subcommands.Where(verb => !verb.Hidden).Select(verb => verb.Name)];

    [Fact]
    public void Every_verb_has_one_line_in_the_list()
    {
        var (code, text) = Show("--help");
        Assert.Equal(0, code);
        var list = text[text.IndexOf("Commands:", StringComparison.Ordinal)..].Split('\n', StringSplitOptions.RemoveEmptyEntries)[1..];
        Assert.Equal(Program.Root().Subcommands.Count(verb => !verb.Hidden), list.Length);
        Assert.All(list, line => Assert.Matches(@"^  [a-z]+.*\S\s{2,}[A-Z].*\.$", line.TrimEnd()));
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Help_of_a_verb_needs_no_other_argument(string verb)
    {
        var (code, text) = Show(verb, "--help");
        Assert.Equal(0, code);
        Assert.Matches($@"Usage:\s+fovea {verb}", text);
    }

    private static (int Code, string Text) Show(params string[] words)
    {
        using var output = new StringWriter();
        var code = Program.Root().Parse(words).Invoke(new InvocationConfiguration { Output = output, Error = output });
        return (code, output.ToString());
    }
}
