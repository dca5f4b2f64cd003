namespace Fovea.Data.Templates.Jinja;

/// <summary>Arguments as they are written.</summary>
/// <param name="Spread">A list behind <c>*</c>; null where there is none.</param>
/// <param name="NamedSpread">A dictionary behind <c>**</c>; null where there is none.</param>
internal sealed record ArgumentList(
    IReadOnlyList<Expression> Positional, IReadOnlyList<(string Name, Expression Value)> Named, Expression? Spread, Expression? NamedSpread)
{
    public static ArgumentList None { get; } = new([], [], null, null);

    /// <param name="caller">The body of a call block, for the macro that it calls.</param>
    public Arguments Evaluate(Rendering rendering, Scope scope, Callable? caller)
    {
        if (caller is null && Positional.Count == 0 && Named.Count == 0 && Spread is null && NamedSpread is null)
        {
            return Arguments.None;
        }

        var positional = new List<object?>(Positional.Count);
        positional.AddRange(Positional.Select(expression => rendering.Get(expression, scope)));
        var named = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var (name, value) in Named)
        {
            named[name] = rendering.Get(value, scope);
        }

        if (Spread is not null)
        {
            positional.AddRange(PyType.Items(rendering.Work, rendering.Get(Spread, scope)));
        }

        if (NamedSpread is not null)
        {
            var dict = rendering.Get(NamedSpread, scope) as PyDict ?? throw new ValueException("what stands behind ** must be a dictionary");
            foreach (var (key, value) in dict.Pairs)
            {
                named[key as string ?? throw new ValueException("keys behind ** must be texts")] = value;
            }
        }

        if (caller is not null)
        {
            named["caller"] = caller;
        }

        return new Arguments(positional, named);
    }
}
