namespace Fovea.Data.Templates.Jinja;

/// <summary>Variables: those of this scope hide those around it, and what is set here is gone when it ends.</summary>
internal sealed class Scope(Scope? outer)
{
    private Dictionary<string, object?>? variables;

    public object? Get(string name)
    {
        for (var scope = this; scope is not null; scope = scope.Outer)
        {
            if (scope.variables?.TryGetValue(name, out var value) == true)
            {
                return value;
            }
        }

        return Globals.Find(name) ?? (object)Undefined.Name(name);
    }

    public void Set(string name, object? value) => (variables ??= new Dictionary<string, object?>(StringComparer.Ordinal))[name] = value;

    private Scope? Outer => outer;
}
