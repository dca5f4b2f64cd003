namespace Fovea.Data.Templates.Jinja;

/// <summary>Something that has a value.</summary>
internal abstract record Expression(int Line)
{
    internal abstract object? Evaluate(Rendering rendering, Scope scope);
}

/// <summary>A value that stands in the template.</summary>
internal sealed record ConstantExpression(object? Value, int Line) : Expression(Line)
{
    internal override object? Evaluate(Rendering rendering, Scope scope) => Value;
}

/// <summary>A variable.</summary>
internal sealed record NameExpression(string Name, int Line) : Expression(Line)
{
    internal override object? Evaluate(Rendering rendering, Scope scope) => scope.Get(Name);
}

/// <summary>A list or a tuple.</summary>
internal sealed record ListExpression(IReadOnlyList<Expression> Items, bool IsTuple, int Line) : Expression(Line)
{
    internal override object? Evaluate(Rendering rendering, Scope scope)
    {
        var items = new object?[Items.Count];
        for (var i = 0; i < items.Length; i++)
        {
            items[i] = rendering.Get(Items[i], scope);
        }

        return new PyList(items, IsTuple);
    }
}

/// <summary>A dictionary.</summary>
internal sealed record DictExpression(IReadOnlyList<(Expression Key, Expression Value)> Pairs, int Line) : Expression(Line)
{
    internal override object? Evaluate(Rendering rendering, Scope scope)
    {
        var dict = new PyDict();
        foreach (var (key, value) in Pairs)
        {
            var name = rendering.Get(key, scope);
            PyAccess.Charge(rendering.Work, name);
            dict.With(name, rendering.Get(value, scope));
        }

        return dict;
    }
}

/// <summary><c>a.b</c>.</summary>
internal sealed record AttributeExpression(Expression Target, string Name, int Line) : Expression(Line)
{
    internal override object? Evaluate(Rendering rendering, Scope scope) => PyAccess.Attribute(rendering.Get(Target, scope), Name);
}

/// <summary><c>a[b]</c>.</summary>
internal sealed record ItemExpression(Expression Target, Expression Key, int Line) : Expression(Line)
{
    internal override object? Evaluate(Rendering rendering, Scope scope) =>
        PyAccess.Item(rendering.Work, rendering.Get(Target, scope), rendering.Get(Key, scope));
}

/// <summary><c>a[b:c:d]</c>.</summary>
internal sealed record SliceExpression(Expression Target, Expression? Start, Expression? Stop, Expression? Step, int Line) : Expression(Line)
{
    internal override object? Evaluate(Rendering rendering, Scope scope)
    {
        var target = rendering.Get(Target, scope);
        return PyAccess.Slice(rendering.Work, target, Bound(Start), Bound(Stop), Bound(Step));

        object? Bound(Expression? bound) => bound is null ? null : rendering.Get(bound, scope);
    }
}

/// <summary>A call.</summary>
internal sealed record CallExpression(Expression Target, ArgumentList Arguments, int Line) : Expression(Line)
{
    internal override object? Evaluate(Rendering rendering, Scope scope) => Call(rendering, scope, caller: null);

    internal object? Call(Rendering rendering, Scope scope, Callable? caller)
    {
        var target = rendering.Get(Target, scope);
        var given = Arguments.Evaluate(rendering, scope, caller);
        rendering.Line = Line;
        return target switch
        {
            Callable callable => callable.Call(rendering, given),
            Undefined undefined => throw undefined.Problem(),
            _ => throw new ValueException($"a value of type '{PyType.Name(target)}' cannot be called"),
        };
    }
}

/// <summary><c>a | filter(...)</c>; without a subject in filter blocks.</summary>
internal sealed record FilterExpression(Expression? Subject, string Name, ArgumentList Arguments, int Line) : Expression(Line)
{
    internal override object? Evaluate(Rendering rendering, Scope scope) => Apply(rendering, scope, rendering.Get(Subject!, scope));

    internal object? Apply(Rendering rendering, Scope scope, object? subject)
    {
        var given = Arguments.Evaluate(rendering, scope, caller: null);
        rendering.Line = Line;
        return Filters.Apply(rendering, Name, subject, given);
    }
}

/// <summary><c>a is test(...)</c>.</summary>
internal sealed record TestExpression(Expression Subject, string Name, ArgumentList Arguments, int Line) : Expression(Line)
{
    internal override object? Evaluate(Rendering rendering, Scope scope) =>
        ValueTests.Apply(rendering.Work, Name, rendering.Get(Subject, scope), Arguments.Evaluate(rendering, scope, caller: null));
}

/// <summary><c>not a</c>, <c>-a</c>, <c>+a</c>.</summary>
internal sealed record UnaryExpression(string Sign, Expression Operand, int Line) : Expression(Line)
{
    internal override object? Evaluate(Rendering rendering, Scope scope)
    {
        var value = rendering.Get(Operand, scope);
        return Sign == "not" ? !PyType.IsTrue(value) : PyMath.Sign(Sign, value);
    }
}

/// <summary>Arithmetic.</summary>
internal sealed record BinaryExpression(string Sign, Expression Left, Expression Right, int Line) : Expression(Line)
{
    internal override object? Evaluate(Rendering rendering, Scope scope) =>
        PyMath.Apply(rendering.Work, Sign, rendering.Get(Left, scope), rendering.Get(Right, scope));
}

/// <summary><c>a ~ b</c>.</summary>
internal sealed record JoinExpression(IReadOnlyList<Expression> Items, int Line) : Expression(Line)
{
    internal override object? Evaluate(Rendering rendering, Scope scope)
    {
        var parts = new string[Items.Count];
        for (var i = 0; i < parts.Length; i++)
        {
            parts[i] = PyText.Of(rendering.Work, rendering.Get(Items[i], scope));
        }

        return rendering.Work.Charge(string.Concat(parts));
    }
}

/// <summary><c>a &lt; b in c</c>: neighbours are compared until one comparison fails.</summary>
internal sealed record ComparisonExpression(Expression First, IReadOnlyList<(string Sign, Expression Operand)> Others, int Line) : Expression(Line)
{
    internal override object? Evaluate(Rendering rendering, Scope scope)
    {
        var left = rendering.Get(First, scope);
        foreach (var (sign, operand) in Others)
        {
            var right = rendering.Get(operand, scope);
            if (!PyCompare.Holds(rendering.Work, sign, left, right))
            {
                return false;
            }

            left = right;
        }

        return true;
    }
}

/// <summary><c>a and b</c>, <c>a or b</c>: the value that decides.</summary>
internal sealed record LogicalExpression(bool IsAnd, Expression Left, Expression Right, int Line) : Expression(Line)
{
    internal override object? Evaluate(Rendering rendering, Scope scope)
    {
        var left = rendering.Get(Left, scope);
        return PyType.IsTrue(left) == IsAnd ? rendering.Get(Right, scope) : left;
    }
}

/// <summary><c>a if b else c</c>.</summary>
internal sealed record ConditionalExpression(Expression Condition, Expression Then, Expression? Else, int Line) : Expression(Line)
{
    internal override object? Evaluate(Rendering rendering, Scope scope) => PyType.IsTrue(rendering.Get(Condition, scope)) ? rendering.Get(Then, scope)
        : Else is not null ? rendering.Get(Else, scope) : new Undefined("the condition does not hold, and no 'else' says what then");
}
