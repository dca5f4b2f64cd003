using System.Globalization;

namespace Fovea.Data.Templates.Jinja;

/// <summary>Reads expressions, with Jinja's own precedence.</summary>
internal sealed class ExpressionParser(TokenStream stream)
{
    private const int MostNested = 100;
    private static readonly string[] Comparisons = ["==", "!=", "<", "<=", ">", ">="];
    private int nested;

    /// <summary>Every name that was read since this was emptied.</summary>
    public HashSet<string> Mentioned { get; private set; } = new(StringComparer.Ordinal);

    /// <summary>Names from here on in a set of their own; they count around it too.</summary>
    public HashSet<string> Mentions(Action read)
    {
        var around = Mentioned;
        Mentioned = new HashSet<string>(StringComparer.Ordinal);
        read();
        var within = Mentioned;
        around.UnionWith(within);
        Mentioned = around;
        return within;
    }

    /// <param name="conditional">Whether <c>a if b else c</c> may stand here; in a loop's source it may not.</param>
    public Expression Read(bool conditional = true)
    {
        if (++nested > MostNested)
        {
            throw new TemplateException($"expressions are nested beyond {MostNested} levels", stream.Line);
        }

        var expression = conditional ? ReadConditional() : ReadOr();
        nested--;
        return expression;
    }

    /// <summary>One expression, or several with commas between them as a tuple.</summary>
    /// <param name="inBrackets">Nothing at all is a tuple too.</param>
    public Expression ReadTuple(bool conditional = true, bool inBrackets = false)
    {
        var line = stream.Line;
        var items = new List<Expression>();
        var isTuple = false;
        while (!EndsTuple())
        {
            items.Add(Read(conditional));
            if (!stream.Skip(","))
            {
                break;
            }

            isTuple = true;
        }

        return items.Count switch
        {
            0 when !inBrackets => throw stream.Unexpected("an expression"),
            1 when !isTuple => items[0],
            _ => new ListExpression(items, IsTuple: true, line),
        };
    }

    /// <summary>A filter's name and arguments, behind the bar.</summary>
    public FilterExpression ReadFilter(Expression? subject)
    {
        var name = stream.Expect(TokenKind.Name, "the name of a filter");
        if (!Filters.Knows(name.Text))
        {
            throw new TemplateException($"the filter '{name.Text}' is not supported", name.Line);
        }

        return new FilterExpression(subject, name.Text, stream.Current.Is("(") ? ReadArguments() : ArgumentList.None, name.Line);
    }

    private bool EndsTuple() => stream.Current.Kind is TokenKind.BlockEnd or TokenKind.OutputEnd || stream.Current.Is(")");

    private Expression ReadConditional()
    {
        var expression = ReadOr();
        while (stream.Current.IsName("if"))
        {
            var line = stream.Next().Line;
            var condition = ReadOr();
            expression = new ConditionalExpression(condition, expression, stream.SkipName("else") ? Read() : null, line);
        }

        return expression;
    }

    private Expression ReadOr()
    {
        var left = ReadAnd();
        while (stream.SkipName("or"))
        {
            left = new LogicalExpression(IsAnd: false, left, ReadAnd(), left.Line);
        }

        return left;
    }

    private Expression ReadAnd()
    {
        var left = ReadNot();
        while (stream.SkipName("and"))
        {
            left = new LogicalExpression(IsAnd: true, left, ReadNot(), left.Line);
        }

        return left;
    }

    private Expression ReadNot()
    {
        if (!stream.Current.IsName("not"))
        {
            return ReadComparison();
        }

        var line = stream.Next().Line;
        nested++;
        var negated = nested > MostNested ? Read() : ReadNot();
        nested--;
        return new UnaryExpression("not", negated, line);
    }

    private Expression ReadComparison()
    {
        var first = ReadSum();
        var others = new List<(string, Expression)>();
        while (true)
        {
            if (stream.Current.Kind == TokenKind.Operator && Comparisons.Contains(stream.Current.Text))
            {
                others.Add((stream.Next().Text, ReadSum()));
            }
            else if (stream.SkipName("in"))
            {
                others.Add(("in", ReadSum()));
            }
            else if (stream.Current.IsName("not") && stream.Following.IsName("in"))
            {
                stream.Next();
                stream.Next();
                others.Add(("not in", ReadSum()));
            }
            else
            {
                return others.Count == 0 ? first : new ComparisonExpression(first, others, first.Line);
            }
        }
    }

    private Expression ReadSum() => ReadBinary(ReadJoin, "+", "-");

    private Expression ReadJoin()
    {
        var first = ReadProduct();
        if (!stream.Current.Is("~"))
        {
            return first;
        }

        var items = new List<Expression> { first };
        while (stream.Skip("~"))
        {
            items.Add(ReadProduct());
        }

        return new JoinExpression(items, first.Line);
    }

    private Expression ReadProduct() => ReadBinary(ReadPower, "*", "/", "//", "%");

    private Expression ReadPower() => ReadBinary(() => ReadUnary(filtered: true), "**");

    private Expression ReadBinary(Func<Expression> operand, params string[] signs)
    {
        var left = operand();
        while (stream.Current.Kind == TokenKind.Operator && signs.Contains(stream.Current.Text))
        {
            var sign = stream.Next();
            left = new BinaryExpression(sign.Text, left, operand(), sign.Line);
        }

        return left;
    }

    private Expression ReadUnary(bool filtered)
    {
        Expression expression;
        if (stream.Current.Is("-") || stream.Current.Is("+"))
        {
            var sign = stream.Next();
            if (++nested > MostNested)
            {
                throw new TemplateException($"expressions are nested beyond {MostNested} levels", sign.Line);
            }

            expression = new UnaryExpression(sign.Text, ReadUnary(filtered: false), sign.Line);
            nested--;
        }
        else
        {
            expression = ReadPrimary();
        }

        expression = ReadPostfix(expression);
        return filtered ? ReadFilters(expression) : expression;
    }

    private Expression ReadPrimary()
    {
        var token = stream.Current;
        switch (token.Kind)
        {
            case TokenKind.Name:
                stream.Next();
                Mentioned.Add(token.Text);
                return token.Text switch
                {
                    "true" or "True" => new ConstantExpression(true, token.Line),
                    "false" or "False" => new ConstantExpression(false, token.Line),
                    "none" or "None" => new ConstantExpression(null, token.Line),
                    _ => new NameExpression(token.Text, token.Line),
                };
            case TokenKind.Text:
                var text = string.Empty;
                while (stream.Current.Kind == TokenKind.Text)
                {
                    text += stream.Next().Text;
                }

                return new ConstantExpression(text, token.Line);
            case TokenKind.Integer:
                stream.Next();
                return long.TryParse(token.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var whole)
                    ? new ConstantExpression(whole, token.Line)
                    : throw new TemplateException("a whole number has more than 64 bits", token.Line);
            case TokenKind.Float:
                stream.Next();
                return new ConstantExpression(double.Parse(token.Text, CultureInfo.InvariantCulture), token.Line);
            default:
                return token.Is("(") ? ReadParentheses() : token.Is("[") ? ReadList() : token.Is("{") ? ReadDict() : throw stream.Unexpected("an expression");
        }
    }

    private Expression ReadParentheses()
    {
        stream.Expect("(");
        var expression = ReadTuple(inBrackets: true);
        stream.Expect(")");
        return expression;
    }

    private ListExpression ReadList()
    {
        var line = stream.Line;
        var items = new List<Expression>();
        ReadAll("[", "]", () => items.Add(Read()));
        return new ListExpression(items, IsTuple: false, line);
    }

    private DictExpression ReadDict()
    {
        var line = stream.Line;
        var pairs = new List<(Expression, Expression)>();
        ReadAll("{", "}", () =>
        {
            var key = Read();
            stream.Expect(":");
            pairs.Add((key, Read()));
        });
        return new DictExpression(pairs, line);
    }

    /// <summary>What stands between brackets, with commas between.</summary>
    private void ReadAll(string open, string close, Action read)
    {
        stream.Expect(open);
        while (!stream.Skip(close))
        {
            read();
            if (!stream.Current.Is(close))
            {
                stream.Expect(",");
            }
        }
    }

    private Expression ReadPostfix(Expression expression)
    {
        while (true)
        {
            var line = stream.Line;
            if (stream.Skip("."))
            {
                var name = stream.Next();
                expression = name.Kind switch
                {
                    TokenKind.Name => new AttributeExpression(expression, name.Text, line),
                    TokenKind.Integer => new ItemExpression(
                        expression, new ConstantExpression(long.Parse(name.Text, CultureInfo.InvariantCulture), line), line),
                    _ => throw new TemplateException($"a name must stand behind '.', not {name.Shown}", line),
                };
            }
            else if (stream.Skip("["))
            {
                expression = ReadSubscript(expression, line);
                stream.Expect("]");
            }
            else if (stream.Current.Is("("))
            {
                expression = new CallExpression(expression, ReadArguments(), line);
            }
            else
            {
                return expression;
            }
        }
    }

    private Expression ReadSubscript(Expression target, int line)
    {
        var start = stream.Current.Is(":") ? null : Read();
        if (!stream.Skip(":"))
        {
            return stream.Current.Is(",")
                ? throw new TemplateException("several keys in one pair of brackets are not supported", line)
                : new ItemExpression(target, start!, line);
        }

        var stop = stream.Current.Is(":") || stream.Current.Is("]") ? null : Read();
        var step = stream.Skip(":") && !stream.Current.Is("]") ? Read() : null;
        return new SliceExpression(target, start, stop, step, line);
    }

    private Expression ReadFilters(Expression expression)
    {
        while (true)
        {
            if (stream.Skip("|"))
            {
                expression = ReadFilter(expression);
            }
            else if (stream.SkipName("is"))
            {
                expression = ReadTest(expression);
            }
            else if (stream.Current.Is("("))
            {
                var line = stream.Line;
                expression = new CallExpression(expression, ReadArguments(), line);
            }
            else
            {
                return expression;
            }
        }
    }

    private Expression ReadTest(Expression subject)
    {
        var negated = stream.SkipName("not");
        var name = stream.Expect(TokenKind.Name, "the name of a test");
        if (!ValueTests.Knows(name.Text))
        {
            throw new TemplateException($"the test '{name.Text}' is not supported", name.Line);
        }

        var arguments = ArgumentList.None;
        var next = stream.Current;
        if (next.Is("("))
        {
            arguments = ReadArguments();
        }
        else if (next.Kind is TokenKind.Text or TokenKind.Integer or TokenKind.Float || next.Is("[") || next.Is("{")
            || (next.Kind == TokenKind.Name && next.Text is not ("else" or "or" or "and")))
        {
            if (next.IsName("is"))
            {
                throw new TemplateException("tests cannot be chained with 'is'", next.Line);
            }

            arguments = ArgumentList.None with { Positional = [ReadPostfix(ReadPrimary())] };
        }

        Expression test = new TestExpression(subject, name.Text, arguments, name.Line);
        return negated ? new UnaryExpression("not", test, name.Line) : test;
    }

    /// <summary>Arguments in brackets.</summary>
    public ArgumentList ReadArguments()
    {
        var positional = new List<Expression>();
        var named = new List<(string, Expression)>();
        Expression? spread = null;
        Expression? namedSpread = null;
        ReadAll("(", ")", () =>
        {
            if (namedSpread is not null)
            {
                throw stream.Unexpected("')'");
            }

            if (stream.Skip("*"))
            {
                spread = spread is null ? Read() : throw stream.Unexpected("no second '*'");
            }
            else if (stream.Skip("**"))
            {
                namedSpread = Read();
            }
            else if (stream.Current.Kind == TokenKind.Name && stream.Following.Is("="))
            {
                var name = stream.Next().Text;
                stream.Next();
                named.Add((name, Read()));
            }
            else
            {
                positional.Add(named.Count == 0 && spread is null ? Read() : throw stream.Unexpected("an argument with a name"));
            }
        });
        return new ArgumentList(positional, named, spread, namedSpread);
    }
}
