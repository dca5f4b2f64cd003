namespace Fovea.Data.Templates.Jinja;

/// <summary>Where a value is put: a variable, an attribute of a namespace, or several of them.</summary>
/// <param name="Name">The variable; null for several.</param>
/// <param name="Attribute">Of the namespace in the variable; null for the variable itself.</param>
/// <param name="Parts">Where each item of the value is put.</param>
internal sealed record AssignmentTarget(string? Name, string? Attribute, IReadOnlyList<AssignmentTarget> Parts)
{
    public void Assign(Rendering rendering, Scope scope, object? value)
    {
        if (Name is null)
        {
            var items = PyType.Items(rendering.Work, value);
            if (items.Count != Parts.Count)
            {
                throw new ValueException($"{items.Count} values are given where {Parts.Count} are taken");
            }

            for (var i = 0; i < items.Count; i++)
            {
                Parts[i].Assign(rendering, scope, items[i]);
            }
        }
        else if (Attribute is null)
        {
            scope.Set(Name, value);
        }
        else
        {
            var space = scope.Get(Name) as Namespace ?? throw new ValueException($"'{Name}' is no namespace, so '{Name}.{Attribute}' cannot be set");
            space.Attributes[Attribute] = value;
        }
    }
}
