namespace Fovea.Data.Templates.Jinja;

/// <summary>A value that is not there: empty when written, an error when anything else is done with it.</summary>
/// <param name="problem">What is wrong, as a sentence.</param>
internal sealed class Undefined(string problem)
{
    public ValueException Problem() => new(problem);

    /// <summary>A variable that nobody set.</summary>
    public static Undefined Name(string name) => new($"'{name}' is undefined");

    /// <summary>Something that a value does not have.</summary>
    public static Undefined Of(object? value, object? key) =>
        new($"a value of type '{PyType.Name(value)}' has no {(key is string ? $"'{key}'" : $"item {key}")}");
}
