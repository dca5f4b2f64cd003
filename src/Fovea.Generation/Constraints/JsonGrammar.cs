using System.Text;
using System.Text.Json;

namespace Fovea.Generation.Constraints;

/// <summary>
/// The parts of JSON texts as automata. Outside of texts there is no whitespace but one space, or none, behind each colon and comma.
/// </summary>
internal sealed class JsonGrammar
{
    private readonly AutomatonBuilder builder;
    private readonly CharacterUnits units;
    private readonly RegexEmitter bare;
    private readonly RegexEmitter inText;
    private int anyValue = -1;

    public JsonGrammar(AutomatonBuilder builder)
    {
        this.builder = builder;
        units = new CharacterUnits(builder);
        bare = new RegexEmitter(builder, units.Text);
        inText = new RegexEmitter(builder, units.Json);
    }

    /// <summary>What stands between two values of a list or two pairs of an object.</summary>
    public Fragment Comma() => Mark(',');

    /// <summary>What stands between a key and its value.</summary>
    public Fragment Colon() => Mark(':');

    /// <summary>Text whose length in characters is bounded.</summary>
    public Fragment String(int least = 0, int? most = null) =>
        Quoted(builder.Repeat(() => units.Json(CodeSet.All), least, most));

    /// <summary>Text that an expression describes.</summary>
    public Fragment String(RegexNode content) => Quoted(inText.Emit(content));

    /// <summary>What an expression describes, outside of texts.</summary>
    public Fragment Bare(string pattern) => bare.Emit(RegexParser.Whole(pattern, "JSON"));

    public Fragment Number() => Bare(@"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+\-]?[0-9]+)?");

    public Fragment Integer() => Bare("-?(0|[1-9][0-9]*)");

    /// <summary>Any value at all.</summary>
    public Fragment Any()
    {
        if (anyValue < 0)
        {
            anyValue = builder.NewRule();
            builder.Define(anyValue, builder.Choice(
                AnyObject(), AnyArray(), String(), Number(), builder.Text("true"u8), builder.Text("false"u8), builder.Text("null"u8)));
        }

        return builder.Call(anyValue);
    }

    public Fragment AnyObject() => Listed("{"u8, () => builder.Chain(String(), Colon(), Any()), "}"u8);

    public Fragment AnyArray() => Listed("["u8, Any, "]"u8);

    /// <summary>A key that is none of those given.</summary>
    public Fragment OtherKey(IReadOnlyCollection<string> keys)
    {
        if (keys.Count == 0)
        {
            return String();
        }

        var (start, end, free) = (builder.NewState(), builder.NewState(), builder.NewState());
        Link(free, units.Json(CodeSet.All), free);
        builder.Bytes(free, '"', '"', end);
        var open = builder.NewState();
        builder.Bytes(start, '"', '"', open);
        Branch(open, [.. keys.Distinct(StringComparer.Ordinal).Select(key => key.EnumerateRunes().Select(rune => rune.Value).ToArray())], 0);
        return new(start, end);

        void Branch(int state, List<int[]> names, int depth)
        {
            if (!names.Any(name => name.Length == depth))
            {
                builder.Bytes(state, '"', '"', end);
            }

            var next = names.Where(name => name.Length > depth).GroupBy(name => name[depth]).ToList();
            Link(state, units.Json(CodeSet.Of(next.Select(group => (group.Key, group.Key))).Complement()), free);
            foreach (var group in next)
            {
                var child = builder.NewState();
                Link(state, units.Json(CodeSet.Of(group.Key)), child);
                Branch(child, [.. group], depth + 1);
            }
        }
    }

    /// <summary>A key as JSON writes it: only quotes, backslashes and control characters are escaped.</summary>
    public Fragment Key(string key) => builder.Text(Encoding.UTF8.GetBytes(Written(key)));

    /// <summary>One certain value, texts and keys escaped no more than they must be.</summary>
    public Fragment Literal(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                var pairs = value.EnumerateObject().Select(pair => builder.Chain(Key(pair.Name), Colon(), Literal(pair.Value)));
                return builder.Chain(builder.Text("{"u8), Joined(pairs), builder.Text("}"u8));
            case JsonValueKind.Array:
                return builder.Chain(builder.Text("["u8), Joined(value.EnumerateArray().Select(Literal)), builder.Text("]"u8));
            case JsonValueKind.String:
                return Key(value.GetString()!);
            default:
                return builder.Text(Encoding.UTF8.GetBytes(value.GetRawText()));
        }
    }

    private static string Written(string text)
    {
        var written = new StringBuilder("\"");
        foreach (var c in text)
        {
            written.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                < ' ' => $"\\u{(int)c:x4}",
                _ => c.ToString(),
            });
        }

        return written.Append('"').ToString();
    }

    private Fragment Joined(IEnumerable<Fragment> parts)
    {
        var chain = new List<Fragment>();
        foreach (var part in parts)
        {
            if (chain.Count > 0)
            {
                chain.Add(Comma());
            }

            chain.Add(part);
        }

        return builder.Chain([.. chain]);
    }

    private Fragment Listed(ReadOnlySpan<byte> open, Func<Fragment> item, ReadOnlySpan<byte> close)
    {
        var items = builder.Chain(item(), builder.Repeat(() => builder.Chain(Comma(), item()), 0, null));
        return builder.Chain(builder.Text(open), builder.Optional(items), builder.Text(close));
    }

    private Fragment Quoted(Fragment content) => builder.Chain(builder.Text("\""u8), content, builder.Text("\""u8));

    private Fragment Mark(char mark)
    {
        var fragment = builder.Text([(byte)mark, (byte)' ']);
        builder.Bytes(fragment.Start, mark, mark, fragment.End);
        return fragment;
    }

    private void Link(int from, Fragment part, int to)
    {
        builder.Skip(from, part.Start);
        builder.Skip(part.End, to);
    }
}
