namespace Fovea.Data.Templates.Jinja;

/// <summary>What stands behind <c>is</c>.</summary>
internal static class ValueTests
{
    private static readonly Dictionary<string, string> Comparisons = new(StringComparer.Ordinal)
    {
        ["eq"] = "==", ["equalto"] = "==", ["=="] = "==", ["ne"] = "!=", ["!="] = "!=", ["lt"] = "<", ["lessthan"] = "<", ["<"] = "<",
        ["le"] = "<=", ["<="] = "<=", ["gt"] = ">", ["greaterthan"] = ">", [">"] = ">", ["ge"] = ">=", [">="] = ">=", ["in"] = "in",
    };

    private static readonly Dictionary<string, Func<object?, bool>> Plain = new(StringComparer.Ordinal)
    {
        ["defined"] = value => value is not Undefined,
        ["undefined"] = value => value is Undefined,
        ["none"] = value => value is null,
        ["boolean"] = value => value is bool,
        ["true"] = value => value is true,
        ["false"] = value => value is false,
        ["integer"] = value => value is long,
        ["float"] = value => value is double,
        ["number"] = value => value is bool or long or double,
        ["string"] = value => value is string,
        ["mapping"] = value => value is PyDict,
        ["iterable"] = PyType.IsIterable,
        ["sequence"] = value => value is string or PyList or PyDict or PyRange or Undefined,
        ["callable"] = value => value is Callable or Undefined,
        ["lower"] = value => TextMethods.HasCase(AsText(value), char.IsUpper, char.IsLower),
        ["upper"] = value => TextMethods.HasCase(AsText(value), char.IsLower, char.IsUpper),
        ["odd"] = value => Parity(value) == 1,
        ["even"] = value => Parity(value) == 0,
    };

    public static bool Knows(string name) =>
        Plain.ContainsKey(name) || Comparisons.ContainsKey(name) || name is "divisibleby" or "sameas" or "filter" or "test";

    public static bool Apply(Work work, string name, object? value, Arguments given)
    {
        PyAccess.Charge(work, value);
        if (Plain.TryGetValue(name, out var test))
        {
            given.Bind(name);
            return test(value);
        }

        if (Comparisons.TryGetValue(name, out var sign))
        {
            return PyCompare.Holds(work, sign, value, given.Bind(name, "other")[0]);
        }

        return name switch
        {
            "divisibleby" => PyMath.Apply(work, "%", value, given.Bind(name, "num")[0]) is 0L or 0.0,
            "sameas" => given.Bind(name, "other")[0] is var other && (value is PyList or PyDict or PyRange or Undefined || other is PyList or PyDict
                ? ReferenceEquals(value, other)
                : PyType.Name(value) == PyType.Name(other) && PyCompare.Equal(work, value, other)),
            "filter" => value is string filter && Filters.Knows(filter),
            "test" => value is string named && Knows(named),
            _ => throw new ValueException($"the test '{name}' is not supported"),
        };
    }

    private static string AsText(object? value) => value as string ?? PyText.Of(new Work(new Limits()), value);

    private static long Parity(object? value) => PyMath.Apply(new Work(new Limits()), "%", value, 2L) switch
    {
        long rest => rest,
        0.0 => 0,
        1.0 => 1,
        _ => 2,
    };
}
