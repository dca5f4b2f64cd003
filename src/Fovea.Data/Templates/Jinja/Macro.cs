namespace Fovea.Data.Templates.Jinja;

/// <summary>A piece of a template that is called with arguments.</summary>
/// <param name="Parameters">Names, with what stands for an argument that is not given; null for nothing.</param>
/// <param name="Body">What writes the result.</param>
/// <param name="Mentions">The names that stand in the body: without <c>varargs</c> and <c>kwargs</c>, more arguments are an error.</param>
internal sealed record Macro(
    string Name, IReadOnlyList<(string Name, Expression? Default)> Parameters, IReadOnlyList<Statement> Body, IReadOnlySet<string> Mentions)
{
    /// <summary>The macro as a value, with the variables around it.</summary>
    public Callable In(Scope scope) => new(Name, (rendering, given) => Call(rendering, scope, given));

    private string Call(Rendering rendering, Scope around, Arguments given)
    {
        var scope = new Scope(around);
        var left = new Dictionary<string, object?>(given.Named, StringComparer.Ordinal);
        for (var i = 0; i < Parameters.Count; i++)
        {
            var (name, missing) = Parameters[i];
            if (i < given.Positional.Count)
            {
                scope.Set(name, given.Positional[i]);
            }
            else if (left.Remove(name, out var value))
            {
                scope.Set(name, value);
            }
            else
            {
                scope.Set(name, missing is null ? new Undefined($"the parameter '{name}' of '{Name}' was not given") : rendering.Get(missing, scope));
            }
        }

        if (Mentions.Contains("caller"))
        {
            scope.Set("caller", left.Remove("caller", out var caller) ? caller : Undefined.Name("caller"));
        }

        TakeOthers(scope, given, left);
        var line = rendering.Line;
        var text = rendering.Capture(Body, scope);
        rendering.Line = line;
        return text;
    }

    private void TakeOthers(Scope scope, Arguments given, Dictionary<string, object?> left)
    {
        if (Mentions.Contains("varargs"))
        {
            scope.Set("varargs", new PyList([.. given.Positional.Skip(Parameters.Count)], IsTuple: true));
        }
        else if (given.Positional.Count > Parameters.Count)
        {
            throw new ValueException($"the macro '{Name}' takes at most {Parameters.Count} arguments, and is given {given.Positional.Count}");
        }

        if (Mentions.Contains("kwargs"))
        {
            scope.Set("kwargs", left.Aggregate(new PyDict(), (dict, pair) => dict.With(pair.Key, pair.Value)));
        }
        else if (left.Count > 0)
        {
            throw new ValueException($"the macro '{Name}' has no argument '{left.Keys.First()}'");
        }
    }
}
