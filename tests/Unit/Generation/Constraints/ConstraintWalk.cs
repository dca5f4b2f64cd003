using System.Text;
using Fovea.Data.Tokenizers;
using Fovea.Generation.Constraints;

namespace Fovea.Tests.Unit.Generation;

/// <summary>Writes texts under constraints with random tokens, and reads texts cut into tokens at random.</summary>
internal sealed class ConstraintWalk(string folder)
{
    private const int MostTokens = 3000;

    private readonly Tokenizer tokenizer = Tokenizer.Load(folder);
    private TokenBytes? bytes;
    private ConstraintCompiler? compiler;

    public Tokenizer Tokenizer => tokenizer;

    public TokenBytes Bytes => bytes ??= TokenBytes.Of(tokenizer);

    public ConstraintCompiler Compiler => compiler ??= new ConstraintCompiler(tokenizer);

    /// <summary>Whether an automaton takes a text, byte by byte.</summary>
    public static bool Takes(Constraint constraint, string text)
    {
        var machine = new ByteMachine(ConstraintCompiler.Build(constraint));
        var state = Encoding.UTF8.GetBytes(text).Aggregate(machine.Start, machine.Step);
        return state.IsAccepting;
    }

    /// <summary>A text of random tokens that the constraint allows; after a while marks that lead to its end come first.</summary>
    public string Write(Constraint constraint, Random random, int loose = 40)
    {
        var session = Compiler.Begin(constraint);
        var ids = new List<int>();
        while (!session.IsComplete)
        {
            if (session.IsAccepting && (ids.Count > loose || random.Next(4) == 0))
            {
                break;
            }

            var allowed = Allowed(session);
            Assert.NotEmpty(allowed);
            var closing = ids.Count > loose || random.Next(3) == 0 ? allowed.Where(Closes).ToList() : [];
            var from = closing.Count > 0 ? closing : allowed;
            ids.Add(from[random.Next(from.Count)]);
            session.Accept(ids[^1]);
            Assert.True(ids.Count < MostTokens, "the text does not come to an end");
        }

        var decoder = tokenizer.NewStreamingDecoder();
        return string.Concat(ids.Select(decoder.Push)) + decoder.Flush();
    }

    /// <summary>The text can be written with whatever tokens it is cut into.</summary>
    public void Read(Constraint constraint, string text, Random random)
    {
        var session = Compiler.Begin(constraint);
        var rest = Encoding.UTF8.GetBytes(text).AsMemory();
        var first = true;
        while (!rest.IsEmpty)
        {
            var fitting = Enumerable.Range(0, Bytes.Count).Where(id => Bytes[id].Length > 0 && Fits(id, rest.Span, first)).ToList();
            Assert.True(fitting.Count > 0, "the vocabulary has no token for the text");
            var id = fitting[random.Next(fitting.Count)];
            Assert.True(((session.Allowed()[id >> 6] >> (id & 63)) & 1) == 1, $"{tokenizer.TokenOf(id)} is masked before {Encoding.UTF8.GetString(rest.Span)}");
            session.Accept(id);
            rest = rest[TextOf(id, first).Length..];
            first = false;
        }

        Assert.True(session.IsAccepting, $"{text} is not complete");
    }

    private static List<int> Allowed(ConstraintSession session)
    {
        var mask = session.Allowed();
        var allowed = new List<int>();
        for (var id = 0; id < mask.Length * 64; id++)
        {
            if (((mask[id >> 6] >> (id & 63)) & 1) == 1)
            {
                allowed.Add(id);
            }
        }

        return allowed;
    }

    private ReadOnlySpan<byte> TextOf(int id, bool first) => first && Bytes.DropsFirstSpace && Bytes[id] is [(byte)' ', .. var rest] ? rest : Bytes[id];

    private bool Fits(int id, ReadOnlySpan<byte> text, bool first) => TextOf(id, first) is { Length: > 0 } own && text.StartsWith(own);

    private bool Closes(int id) => Bytes[id].Length is 1 or 2 && "\"]}!ab.@:/"u8.Contains(Bytes[id][0]);
}
