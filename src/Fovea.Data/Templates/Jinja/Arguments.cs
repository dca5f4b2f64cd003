namespace Fovea.Data.Templates.Jinja;

/// <summary>What a function, filter, test or macro is given, besides a filter's or test's subject.</summary>
internal sealed record Arguments(IReadOnlyList<object?> Positional, IReadOnlyDictionary<string, object?> Named)
{
    private static readonly IReadOnlyDictionary<string, object?> NoNames = new Dictionary<string, object?>();

    public static Arguments None { get; } = Of();

    /// <summary>Stands for an argument that was not given.</summary>
    public static object Missing { get; } = new();

    public static Arguments Of(params IReadOnlyList<object?> positional) => new(positional, NoNames);

    /// <summary>
    /// The arguments by the parameters' places; <see cref="Missing"/> where one with a question mark behind its name is not given.
    /// </summary>
    /// <exception cref="ValueException">Too many, an unknown name, or a required one is not there.</exception>
    public object?[] Bind(string what, params ReadOnlySpan<string> parameters)
    {
        if (Positional.Count > parameters.Length)
        {
            throw new ValueException($"{what} takes at most {parameters.Length} arguments, and is given {Positional.Count}");
        }

        var bound = new object?[parameters.Length];
        var taken = 0;
        for (var i = 0; i < bound.Length; i++)
        {
            var name = parameters[i].TrimEnd('?');
            if (i < Positional.Count)
            {
                bound[i] = Positional[i];
                taken += Named.ContainsKey(name) ? throw new ValueException($"{what} is given '{name}' twice") : 0;
            }
            else if (Named.TryGetValue(name, out var value))
            {
                bound[i] = value;
                taken++;
            }
            else
            {
                bound[i] = parameters[i].EndsWith('?') ? Missing : throw new ValueException($"{what} needs the argument '{name}'");
            }
        }

        if (taken < Named.Count)
        {
            var known = string.Join(' ', parameters.ToArray().Select(parameter => parameter.TrimEnd('?'))).Split(' ');
            throw new ValueException($"{what} has no argument '{Named.Keys.First(name => !known.Contains(name))}'");
        }

        return bound;
    }

    /// <summary>A whole number, or what stands for one that was not given.</summary>
    public static long Whole(object? value, long missing, string what) => ReferenceEquals(value, Missing) ? missing
        : PyType.IsInteger(value, out var whole) ? whole : throw new ValueException($"{what} must be a whole number, not of type '{PyType.Name(value)}'");

    /// <summary>A text, or what stands for one that was not given.</summary>
    public static string Text(object? value, string missing, string what) => ReferenceEquals(value, Missing) ? missing
        : value as string ?? throw new ValueException($"{what} must be a text, not of type '{PyType.Name(value)}'");

    /// <summary>A condition, or what stands for one that was not given.</summary>
    public static bool Flag(object? value, bool missing) => ReferenceEquals(value, Missing) ? missing : PyType.IsTrue(value);

    /// <summary>Any value, or what stands for one that was not given.</summary>
    public static object? Or(object? value, object? missing) => ReferenceEquals(value, Missing) ? missing : value;
}
