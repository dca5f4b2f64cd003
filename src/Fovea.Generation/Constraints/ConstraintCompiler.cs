using System.Text;
using Fovea.Data.Tokenizers;

namespace Fovea.Generation.Constraints;

/// <summary>
/// Makes constraints hold for one tokenizer's tokens, each once, by other threads than those that ask; those that were used last are kept. For any number of
/// threads.
/// </summary>
internal sealed class ConstraintCompiler(Tokenizer tokenizer)
{
    /// <summary>Longest text of a constraint. What takes time to read grows with its square in places.</summary>
    public const int MostText = 1 << 18;

    private const int MostKept = 32;

    // A state takes about 100 bytes.
    private const int MostKeptStates = 2_000_000;

    // So many are made at a time, for all models of the process.
    private static readonly SemaphoreSlim Places = new(Math.Max(2, Environment.ProcessorCount));

    private readonly Lazy<TokenTrie> trie = new(() => new TokenTrie(TokenBytes.Of(tokenizer)));
    private readonly Lock gate = new();
    private readonly List<Entry> kept = []; // used last at the end

    /// <summary>Sees each constraint that is made, on the thread that makes it, before it is.</summary>
    public Action<Constraint>? Begun { get; set; }

    /// <summary>Begins an answer.</summary>
    /// <exception cref="ConfigException">The constraint is malformed, too large, holds what is not supported, or cannot be satisfied.</exception>
    public ConstraintSession Begin(Constraint constraint) => new(Compile(constraint));

    /// <summary>As <see cref="Prepare"/>, while the caller's thread waits.</summary>
    public CompiledConstraint Compile(Constraint constraint) => Prepare(constraint, CancellationToken.None).GetAwaiter().GetResult();

    /// <summary>Makes a constraint, unless it is there or being made.</summary>
    /// <param name="constraint">What is made of it is for one thread at a time.</param>
    /// <param name="cancel">Ends the waiting, and the work if nobody else waits for it.</param>
    /// <exception cref="ConfigException">The constraint is malformed, too large, holds what is not supported, or cannot be satisfied.</exception>
    public async Task<CompiledConstraint> Prepare(Constraint constraint, CancellationToken cancel)
    {
        var entry = Enter(constraint);
        try
        {
            return await entry.Made.WaitAsync(cancel).ConfigureAwait(false);
        }
        finally
        {
            Leave(entry);
        }
    }

    internal static Automaton Build(Constraint constraint, CancellationToken cancel = default)
    {
        if (constraint.Text.Length > MostText)
        {
            throw new ConfigException($"the constraint is too large: its text has {constraint.Text.Length} characters, and at most {MostText} are read");
        }

        var builder = new AutomatonBuilder(cancel);
        try
        {
            return Build(constraint, builder);
        }
        catch (InsufficientExecutionStackException)
        {
            throw new ConfigException("the constraint is too large: its parts are nested too deep");
        }
    }

    private static Automaton Build(Constraint constraint, AutomatonBuilder builder)
    {
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

    private Entry Enter(Constraint constraint)
    {
        lock (gate)
        {
            var entry = kept.Find(one => one.Constraint == constraint);
            if (entry is null)
            {
                entry = new Entry(constraint);
                entry.Made = Make(entry);
            }
            else
            {
                kept.Remove(entry);
            }

            kept.Add(entry);
            entry.Waiting++;
            Trim();
            return entry;
        }
    }

    private void Leave(Entry entry)
    {
        lock (gate)
        {
            entry.Waiting--;
            if (entry.Waiting == 0 && !entry.Made.IsCompleted)
            {
                kept.Remove(entry);
                entry.Stop.Cancel();
            }
            else if (entry.Made is { IsFaulted: true, Exception.InnerException: not ConfigException })
            {
                kept.Remove(entry); // may go well another time
            }

            Trim();
        }
    }

    // What is being made is counted when it is done: there are no more of these than requests.
    private void Trim()
    {
        var (count, states) = (0, 0L);
        for (var i = kept.Count - 1; i >= 0; i--)
        {
            if (!kept[i].Made.IsCompleted)
            {
                continue;
            }

            states += kept[i].Made.IsCompletedSuccessfully ? kept[i].Made.Result.States : 0;
            if (++count > 1 && (count > MostKept || states > MostKeptStates))
            {
                kept.RemoveAt(i);
            }
        }
    }

    private async Task<CompiledConstraint> Make(Entry entry)
    {
        var cancel = entry.Stop.Token;
        await Places.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            return await Task.Run(
                () =>
                {
                    Begun?.Invoke(entry.Constraint);
                    var made = new CompiledConstraint(Build(entry.Constraint, cancel), trie.Value);
                    made.Allowed(made.Start, first: true); // remembered for the first token of each answer
                    return made;
                }, cancel).ConfigureAwait(false);
        }
        finally
        {
            Places.Release();
        }
    }

    private sealed class Entry(Constraint constraint)
    {
        public Constraint Constraint => constraint;

        public CancellationTokenSource Stop { get; } = new();

        public Task<CompiledConstraint> Made { get; set; } = null!;

        public int Waiting { get; set; }
    }
}
