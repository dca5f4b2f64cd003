namespace Fovea.Data.Templates.Jinja;

/// <summary>
/// A chat template in Jinja, as Transformers renders it: <c>trim_blocks</c>, <c>lstrip_blocks</c>, loop controls, <c>generation</c> blocks, an immutable
/// sandbox. What is not supported is refused by name and line, most of it when the template is read. Usable from several threads at once.
/// </summary>
internal sealed class JinjaTemplate
{
    private readonly IReadOnlyList<Statement> statements;

    private JinjaTemplate(IReadOnlyList<Statement> statements, bool marksGeneration) =>
        (this.statements, MarksGeneration) = (statements, marksGeneration);

    /// <summary>The template says itself what the model writes, in <c>generation</c> blocks.</summary>
    public bool MarksGeneration { get; }

    /// <exception cref="TemplateException">It is wrong, or has what is not supported.</exception>
    public static JinjaTemplate Parse(string text)
    {
        try
        {
            var statements = StatementParser.Read(text, out var marks);
            return new JinjaTemplate(statements, marks);
        }
        catch (InsufficientExecutionStackException e)
        {
            throw new TemplateException("the template is nested too deeply", 1, e);
        }
    }

    /// <param name="variables">Values as <see cref="PyType"/> lists them.</param>
    /// <param name="now">The time that <c>strftime_now</c> tells.</param>
    /// <exception cref="TemplateException">The template refuses them, does not fit them, or goes beyond a limit.</exception>
    public RenderedText Render(IReadOnlyDictionary<string, object?> variables, DateTime now, Limits? limits = null)
    {
        var rendering = new Rendering(limits ?? new Limits(), now);
        var scope = new Scope(null);
        foreach (var (name, value) in variables)
        {
            scope.Set(name, value);
        }

        try
        {
            rendering.Run(statements, scope);
            return rendering.Result;
        }
        catch (ValueException e)
        {
            throw new TemplateException(e.Message, rendering.Line, e) { Raised = e.Raised };
        }
    }
}
