using System.Text;
using Fovea.Data.Tokenizers;

namespace Fovea.Generation.Constraints;

/// <summary>Makes constraints hold for one tokenizer's tokens; those that were used last are kept. For one thread.</summary>
internal sealed class ConstraintCompiler(Tokenizer tokenizer)
{
    private const int MostKept = 32;

    private readonly List<(Constraint Constraint, CompiledConstraint Compiled)> kept = [];
    private TokenTrie? trie;

    /// <summary>Begins an answer.</summary>
    /// <exception cref="ConfigException">The constraint is malformed, holds what is not supported, or cannot be satisfied.</exception>
    public ConstraintSession Begin(Constraint constraint) => new(Compile(constraint));

    public CompiledConstraint Compile(Constraint constraint)
    {
        var place = kept.FindIndex(pair => pair.Constraint == constraint);
        if (place < 0)
        {
            if (kept.Count == MostKept)
            {
                kept.RemoveAt(0);
            }

            kept.Add((constraint, new CompiledConstraint(Build(constraint), trie ??= new TokenTrie(TokenBytes.Of(tokenizer)))));
            place = kept.Count - 1;
        }

        var used = kept[place];
        kept.RemoveAt(place);
        kept.Add(used);
        return used.Compiled;
    }

    internal static Automaton Build(Constraint constraint)
    {
        var builder = new AutomatonBuilder();
        switch (constraint.Kind)
        {
            case ConstraintKind.Regex:
                const string name = "the regular expression";
                var emitter = new RegexEmitter(builder, new CharacterUnits(builder).Text);
                var node = RegexParser.Whole(constraint.Text, name);
                return new Automaton(builder, builder.Rule(() => emitter.Emit(node)), $"{name} {constraint.Text}");
            case ConstraintKind.JsonObject:
                return new Automaton(builder, builder.Rule(new JsonGrammar(builder).AnyObject), "a JSON object");
            default:
                using (var schema = JsonFile.Parse(Encoding.UTF8.GetBytes(constraint.Text), "the JSON schema:"))
                {
                    return new Automaton(builder, new SchemaCompiler(builder, schema.RootElement).Compile(), "the JSON schema");
                }
        }
    }
}
