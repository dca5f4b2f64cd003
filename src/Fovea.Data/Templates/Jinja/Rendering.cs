using System.Text;

namespace Fovea.Data.Templates.Jinja;

/// <summary>One rendering of a template: what is written, and how far it got.</summary>
/// <param name="now">The time that <c>strftime_now</c> tells.</param>
internal sealed class Rendering(Limits limits, DateTime now)
{
    private readonly List<(int Start, int End)> generated = [];
    private StringBuilder output = new();
    private int captures;

    public Work Work { get; } = new(limits);

    public DateTime Now => now;

    /// <summary>The line that is carried out.</summary>
    public int Line { get; set; } = 1;

    /// <summary>What was written.</summary>
    public RenderedText Result => new(output.ToString(), generated);

    public object? Get(Expression expression, Scope scope)
    {
        Line = expression.Line;
        Work.Enter();
        var value = expression.Evaluate(this, scope);
        Work.Leave();
        return value;
    }

    public Flow Run(IReadOnlyList<Statement> statements, Scope scope)
    {
        Work.Enter();
        var flow = Flow.Goes;
        for (var i = 0; i < statements.Count && flow == Flow.Goes; i++)
        {
            Line = statements[i].Line;
            Work.Charge(1);
            flow = statements[i].Execute(this, scope);
        }

        Work.Leave();
        return flow;
    }

    public void Write(string text)
    {
        if (output.Length + (long)text.Length > Work.Limits.Characters)
        {
            throw new ValueException($"the template writes more than {Work.Limits.Characters:N0} characters");
        }

        output.Append(Work.Charge(text));
    }

    /// <summary>What statements write, instead of writing it.</summary>
    public string Capture(IReadOnlyList<Statement> statements, Scope scope)
    {
        var around = output;
        output = new StringBuilder();
        captures++;
        Run(statements, scope);
        captures--;
        var text = output.ToString();
        output = around;
        return text;
    }

    /// <summary>Writes what a model generates.</summary>
    public void Generate(IReadOnlyList<Statement> statements, Scope scope)
    {
        if (captures > 0)
        {
            throw new ValueException("'generation' within a macro, or a block that is kept as a value, is not supported");
        }

        var start = output.Length;
        Run(statements, scope);
        generated.Add((start, output.Length));
    }
}
