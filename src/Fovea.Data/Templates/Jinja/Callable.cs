namespace Fovea.Data.Templates.Jinja;

/// <summary>A function, macro or method.</summary>
internal sealed class Callable(string name, Func<Rendering, Arguments, object?> body)
{
    public string Name => name;

    public object? Call(Rendering rendering, Arguments arguments) => body(rendering, arguments);
}
