using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Fovea.Cli;

/// <summary>Help that lists each subcommand in one line; its own help shows the rest of its description and examples.</summary>
internal sealed class ShortHelp(HelpAction plain) : SynchronousCommandLineAction
{
    /// <summary>Gives a root command such help.</summary>
    public static RootCommand For(RootCommand root)
    {
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new ShortHelp((HelpAction)help.Action!);
        return root;
    }

    /// <summary>Whoever asks for help need not give what is required.</summary>
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parsed)
    {
        foreach (var verb in parsed.CommandResult.Command.Subcommands)
        {
            verb.Description = verb.Description?.Split('\n')[0].TrimEnd();
        }

        // The root is named after the program's file; people start it as fovea.
        var output = parsed.InvocationConfiguration.Output;
        using var text = new StringWriter();
        parsed.InvocationConfiguration.Output = text;
        var code = plain.Invoke(parsed);
        parsed.InvocationConfiguration.Output = output;
        output.Write(text.ToString().Replace($"  {RootCommand.ExecutableName} ", "  fovea ", StringComparison.Ordinal));
        return code;
    }
}
