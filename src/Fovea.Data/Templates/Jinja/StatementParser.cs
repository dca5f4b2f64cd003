namespace Fovea.Data.Templates.Jinja;

/// <summary>Reads the statements of a template.</summary>
internal sealed class StatementParser
{
    private const int MostNested = 100;
    private readonly TokenStream stream;
    private readonly ExpressionParser expressions;
    private int nested;
    private int loops;

    private StatementParser(TokenStream stream) => (this.stream, expressions) = (stream, new ExpressionParser(stream));

    /// <summary>The statements of a template.</summary>
    /// <param name="generates">Whether the template marks what the model itself writes.</param>
    /// <exception cref="TemplateException">It is wrong, or has what is not supported.</exception>
    public static IReadOnlyList<Statement> Read(string text, out bool generates)
    {
        var parser = new StatementParser(new TokenStream(Lexer.Read(text)));
        var statements = parser.ReadBody();
        generates = parser.Generates;
        return parser.stream.Current.Kind == TokenKind.End
            ? statements
            : throw new TemplateException($"{parser.stream.Current.Shown} ends nothing that is open", parser.stream.Line);
    }

    private bool Generates { get; set; }

    /// <summary>Statements up to a tag that ends or divides a block: its name is the next token.</summary>
    private List<Statement> ReadBody()
    {
        if (++nested > MostNested)
        {
            throw new TemplateException($"blocks are nested beyond {MostNested} levels", stream.Line);
        }

        var statements = new List<Statement>();
        while (stream.Current.Kind != TokenKind.End)
        {
            var token = stream.Next();
            switch (token.Kind)
            {
                case TokenKind.Data:
                    statements.Add(new TextStatement(token.Text, token.Line));
                    break;
                case TokenKind.OutputBegin:
                    statements.Add(new OutputStatement(expressions.ReadTuple(), token.Line));
                    stream.Expect(TokenKind.OutputEnd, "'}}'");
                    break;
                default:
                    if (stream.Current is { Kind: TokenKind.Name, Text: "elif" or "else" or ['e', 'n', 'd', ..] })
                    {
                        nested--;
                        return statements;
                    }

                    statements.Add(ReadStatement(stream.Expect(TokenKind.Name, "the name of a tag")));
                    break;
            }
        }

        nested--;
        return statements;
    }

    /// <summary>Statements up to the end of a block, which is taken too.</summary>
    private List<Statement> ReadBlock(Token opening)
    {
        EndTag();
        var body = ReadBody();
        End(opening);
        return body;
    }

    private void EndTag() => stream.Expect(TokenKind.BlockEnd, "'%}'");

    private void End(Token opening)
    {
        if (!stream.SkipName("end" + opening.Text))
        {
            throw stream.Current.Kind == TokenKind.End
                ? new TemplateException($"'{opening.Text}' is not closed", opening.Line)
                : new TemplateException($"{stream.Current.Shown} stands where '{opening.Text}' of line {opening.Line} must end", stream.Line);
        }

        if (opening.Text is "macro" or "block" && stream.Current.Kind == TokenKind.Name)
        {
            stream.Next();
        }

        EndTag();
    }

    private Statement ReadStatement(Token tag)
    {
        switch (tag.Text)
        {
            case "if":
                return ReadIf(tag);
            case "for":
                return ReadFor(tag);
            case "set":
                return ReadSet(tag);
            case "macro":
                return ReadMacro(tag);
            case "call":
                return ReadCall(tag);
            case "filter":
                return new FilterBlockStatement(ReadFilterChain(first: true), ReadBlock(tag), tag.Line);
            case "with":
                return ReadWith(tag);
            case "generation":
                Generates = true;
                return new GenerationStatement(WithoutLoop(() => ReadBlock(tag)), tag.Line);
            case "break" or "continue":
                EndTag();
                return loops > 0
                    ? new JumpStatement(tag.Text == "break" ? Flow.Breaks : Flow.Continues, tag.Line)
                    : throw new TemplateException($"'{tag.Text}' stands outside of a loop", tag.Line);
            default:
                throw new TemplateException($"the tag '{tag.Text}' is not supported", tag.Line);
        }
    }

    private IfStatement ReadIf(Token tag)
    {
        var branches = new List<(Expression?, IReadOnlyList<Statement>)>();
        do
        {
            var condition = expressions.ReadTuple(conditional: false);
            EndTag();
            branches.Add((condition, ReadBody()));
        }
        while (stream.SkipName("elif"));
        if (stream.SkipName("else"))
        {
            EndTag();
            branches.Add((null, ReadBody()));
        }

        End(tag);
        return new IfStatement(branches, tag.Line);
    }

    private ForStatement ReadFor(Token tag)
    {
        var target = ReadTargets(() => stream.Current.IsName("in"));
        if (!stream.SkipName("in"))
        {
            throw stream.Unexpected("'in'");
        }

        var source = expressions.ReadTuple(conditional: false);
        var condition = stream.SkipName("if") ? expressions.Read() : null;
        if (stream.Current.IsName("recursive"))
        {
            throw new TemplateException("'recursive' loops are not supported", stream.Line);
        }

        EndTag();
        loops++;
        var body = ReadBody();
        loops--;
        List<Statement> otherwise = [];
        if (stream.SkipName("else"))
        {
            EndTag();
            otherwise = ReadBody();
        }

        End(tag);
        return new ForStatement(target, source, condition, body, otherwise, tag.Line);
    }

    private Statement ReadSet(Token tag)
    {
        var target = ReadTargets(() => stream.Current.Is("=") || stream.Current.Is("|") || stream.Current.Kind == TokenKind.BlockEnd);
        if (stream.Skip("="))
        {
            var value = expressions.ReadTuple();
            EndTag();
            return new SetStatement(target, value, tag.Line);
        }

        return new SetBlockStatement(target, ReadFilterChain(first: false), ReadBlock(tag), tag.Line);
    }

    private List<FilterExpression> ReadFilterChain(bool first)
    {
        var filters = new List<FilterExpression>();
        while (first || stream.Skip("|"))
        {
            filters.Add(expressions.ReadFilter(null));
            first = false;
        }

        return filters;
    }

    private MacroStatement ReadMacro(Token tag)
    {
        var name = stream.Expect(TokenKind.Name, "the macro's name").Text;
        return new MacroStatement(ReadMacro(tag, name, ReadParameters), tag.Line);
    }

    private CallStatement ReadCall(Token tag)
    {
        var parameters = stream.Current.Is("(") ? ReadParameters() : [];
        CallExpression? call = null;
        var caller = ReadMacro(tag, "caller", () =>
        {
            call = expressions.Read() as CallExpression ?? throw new TemplateException("'call' needs the call of a macro", tag.Line);
            return parameters;
        });
        return new CallStatement(call!, caller, tag.Line);
    }

    private Macro ReadMacro(Token tag, string name, Func<List<(string, Expression?)>> head)
    {
        List<(string, Expression?)> parameters = [];
        List<Statement> body = [];
        var mentions = expressions.Mentions(() =>
        {
            parameters = head();
            body = WithoutLoop(() => ReadBlock(tag));
        });
        return new Macro(name, parameters, body, mentions);
    }

    private List<(string Name, Expression? Default)> ReadParameters()
    {
        var parameters = new List<(string, Expression?)>();
        stream.Expect("(");
        while (!stream.Skip(")"))
        {
            var name = stream.Expect(TokenKind.Name, "a parameter's name").Text;
            var given = stream.Skip("=") ? expressions.Read() : null;
            if (given is null && parameters.Any(parameter => parameter.Item2 is not null))
            {
                throw new TemplateException($"the parameter '{name}' needs a default, since one before it has one", stream.Line);
            }

            parameters.Add((name, given));
            if (!stream.Current.Is(")"))
            {
                stream.Expect(",");
            }
        }

        return parameters;
    }

    private WithStatement ReadWith(Token tag)
    {
        var variables = new List<(AssignmentTarget, Expression)>();
        while (stream.Current.Kind != TokenKind.BlockEnd)
        {
            var target = ReadTarget();
            stream.Expect("=");
            variables.Add((target, expressions.Read()));
            if (stream.Current.Kind != TokenKind.BlockEnd)
            {
                stream.Expect(",");
            }
        }

        return new WithStatement(variables, ReadBlock(tag), tag.Line);
    }

    private AssignmentTarget ReadTargets(Func<bool> ends)
    {
        var targets = new List<AssignmentTarget> { ReadTarget() };
        var several = false;
        while (!ends())
        {
            several = true;
            stream.Expect(",");
            if (!ends())
            {
                targets.Add(ReadTarget());
            }
        }

        return several ? new AssignmentTarget(null, null, targets) : targets[0];
    }

    private AssignmentTarget ReadTarget()
    {
        if (stream.Skip("("))
        {
            var targets = ReadTargets(() => stream.Current.Is(")"));
            stream.Expect(")");
            return targets;
        }

        var name = stream.Expect(TokenKind.Name, "a name");
        if (name.Text is "true" or "false" or "none" or "True" or "False" or "None")
        {
            throw new TemplateException($"'{name.Text}' cannot be set", name.Line);
        }

        return new AssignmentTarget(name.Text, stream.Skip(".") ? stream.Expect(TokenKind.Name, "an attribute's name").Text : null, []);
    }

    /// <summary>A body that no loop around it can be left from.</summary>
    private List<Statement> WithoutLoop(Func<List<Statement>> read)
    {
        var around = loops;
        loops = 0;
        var body = read();
        loops = around;
        return body;
    }
}
