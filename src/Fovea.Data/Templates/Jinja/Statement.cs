namespace Fovea.Data.Templates.Jinja;

/// <summary>Something that is carried out.</summary>
internal abstract record Statement(int Line)
{
    internal abstract Flow Execute(Rendering rendering, Scope scope);
}

/// <summary>Text as it stands.</summary>
internal sealed record TextStatement(string Text, int Line) : Statement(Line)
{
    internal override Flow Execute(Rendering rendering, Scope scope)
    {
        rendering.Write(Text);
        return Flow.Goes;
    }
}

/// <summary><c>{{ }}</c>.</summary>
internal sealed record OutputStatement(Expression Value, int Line) : Statement(Line)
{
    internal override Flow Execute(Rendering rendering, Scope scope)
    {
        rendering.Write(PyText.Of(rendering.Work, rendering.Get(Value, scope)));
        return Flow.Goes;
    }
}

/// <summary><c>if</c> with its <c>elif</c>s; what stands behind <c>else</c> has no condition.</summary>
internal sealed record IfStatement(IReadOnlyList<(Expression? Condition, IReadOnlyList<Statement> Body)> Branches, int Line) : Statement(Line)
{
    internal override Flow Execute(Rendering rendering, Scope scope)
    {
        foreach (var (condition, body) in Branches)
        {
            if (condition is null || PyType.IsTrue(rendering.Get(condition, scope)))
            {
                return rendering.Run(body, scope);
            }
        }

        return Flow.Goes;
    }
}

/// <summary><c>for</c>.</summary>
internal sealed record ForStatement(
    AssignmentTarget Target, Expression Source, Expression? Condition, IReadOnlyList<Statement> Body, IReadOnlyList<Statement> Otherwise, int Line)
    : Statement(Line)
{
    internal override Flow Execute(Rendering rendering, Scope scope)
    {
        var items = PyType.Items(rendering.Work, rendering.Get(Source, scope));
        if (Condition is not null)
        {
            items = [.. items.Where(item => PyType.IsTrue(rendering.Get(Condition, Within(rendering, scope, item))))];
        }

        var completed = false;
        var loop = new LoopState(items);
        for (; loop.Index < items.Count; loop.Index++)
        {
            rendering.Line = Line;
            var inner = Within(rendering, scope, items[loop.Index]);
            inner.Set("loop", loop);
            var flow = rendering.Run(Body, inner);
            completed |= flow == Flow.Goes;
            if (flow == Flow.Breaks)
            {
                break;
            }
        }

        // Jinja's own way: a loop that was left, or went on, before the end of each pass counts as one over nothing.
        return completed ? Flow.Goes : rendering.Run(Otherwise, new Scope(scope));
    }

    private Scope Within(Rendering rendering, Scope scope, object? item)
    {
        var inner = new Scope(scope);
        Target.Assign(rendering, inner, item);
        return inner;
    }
}

/// <summary><c>set</c>.</summary>
internal sealed record SetStatement(AssignmentTarget Target, Expression Value, int Line) : Statement(Line)
{
    internal override Flow Execute(Rendering rendering, Scope scope)
    {
        Target.Assign(rendering, scope, rendering.Get(Value, scope));
        return Flow.Goes;
    }
}

/// <summary><c>set</c> with a body instead of a value.</summary>
internal sealed record SetBlockStatement(AssignmentTarget Target, IReadOnlyList<FilterExpression> Filters, IReadOnlyList<Statement> Body, int Line)
    : Statement(Line)
{
    internal override Flow Execute(Rendering rendering, Scope scope)
    {
        Target.Assign(rendering, scope, FilterBlockStatement.Filtered(rendering, scope, Filters, Body));
        return Flow.Goes;
    }
}

/// <summary><c>filter</c>.</summary>
internal sealed record FilterBlockStatement(IReadOnlyList<FilterExpression> Filters, IReadOnlyList<Statement> Body, int Line) : Statement(Line)
{
    internal override Flow Execute(Rendering rendering, Scope scope)
    {
        rendering.Write(PyText.Of(rendering.Work, Filtered(rendering, scope, Filters, Body)));
        return Flow.Goes;
    }

    internal static object? Filtered(Rendering rendering, Scope scope, IReadOnlyList<FilterExpression> filters, IReadOnlyList<Statement> body) =>
        filters.Aggregate((object?)rendering.Capture(body, new Scope(scope)), (value, filter) => filter.Apply(rendering, scope, value));
}

/// <summary><c>with</c>.</summary>
internal sealed record WithStatement(IReadOnlyList<(AssignmentTarget Target, Expression Value)> Variables, IReadOnlyList<Statement> Body, int Line)
    : Statement(Line)
{
    internal override Flow Execute(Rendering rendering, Scope scope)
    {
        var inner = new Scope(scope);
        foreach (var (target, value) in Variables)
        {
            target.Assign(rendering, inner, rendering.Get(value, scope));
        }

        return rendering.Run(Body, inner);
    }
}

/// <summary><c>macro</c>.</summary>
internal sealed record MacroStatement(Macro Macro, int Line) : Statement(Line)
{
    internal override Flow Execute(Rendering rendering, Scope scope)
    {
        scope.Set(Macro.Name, Macro.In(scope));
        return Flow.Goes;
    }
}

/// <summary><c>call</c>: the body is the <c>caller</c> of the macro that is called.</summary>
internal sealed record CallStatement(CallExpression Call, Macro Caller, int Line) : Statement(Line)
{
    internal override Flow Execute(Rendering rendering, Scope scope)
    {
        rendering.Write(PyText.Of(rendering.Work, Call.Call(rendering, scope, Caller.In(scope))));
        return Flow.Goes;
    }
}

/// <summary><c>generation</c>: what the model itself writes.</summary>
internal sealed record GenerationStatement(IReadOnlyList<Statement> Body, int Line) : Statement(Line)
{
    internal override Flow Execute(Rendering rendering, Scope scope)
    {
        rendering.Generate(Body, new Scope(scope));
        return Flow.Goes;
    }
}

/// <summary><c>break</c> and <c>continue</c>.</summary>
internal sealed record JumpStatement(Flow Flow, int Line) : Statement(Line)
{
    internal override Flow Execute(Rendering rendering, Scope scope) => Flow;
}
