using System.Runtime.CompilerServices;

namespace Fovea.Generation.Constraints;

/// <summary>Builds the automaton of a regular expression.</summary>
/// <param name="builder">Receives it.</param>
/// <param name="unit">Builds what stands for one character of a set: its bytes, or all ways to write it in JSON.</param>
internal sealed class RegexEmitter(AutomatonBuilder builder, Func<CodeSet, Fragment> unit)
{
    public Fragment Emit(RegexNode node)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        return node switch
        {
            RegexNode.One one => unit(one.Set),
            RegexNode.Chain chain => builder.Chain([.. chain.Parts.Select(Emit)]),
            RegexNode.Choice choice => builder.Choice([.. choice.Parts.Select(Emit)]),
            RegexNode.Repeat repeat => Repeat(repeat),
            _ => throw new ArgumentException("no part of an expression", nameof(node)),
        };
    }

    /// <summary>What is repeated a number of times becomes a rule, which costs a state each time and not itself.</summary>
    private Fragment Repeat(RegexNode.Repeat repeat)
    {
        if (repeat.Part is RegexNode.One || Math.Max(repeat.Least, repeat.Most ?? 0) <= 1)
        {
            return builder.Repeat(() => Emit(repeat.Part), repeat.Least, repeat.Most);
        }

        var rule = builder.Rule(() => Emit(repeat.Part));
        return builder.Repeat(() => builder.Call(rule), repeat.Least, repeat.Most);
    }
}
