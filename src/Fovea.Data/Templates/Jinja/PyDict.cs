using System.Diagnostics.CodeAnalysis;

namespace Fovea.Data.Templates.Jinja;

/// <summary>A dictionary that keeps the order in which keys came. Keys are texts, numbers and None.</summary>
internal sealed class PyDict
{
    private static readonly object NoneKey = new();
    private readonly OrderedDictionary<object, object?> entries = new(new KeyComparer());

    public int Count => entries.Count;

    public IEnumerable<object?> Keys => entries.Keys.Select(Shown);

    public IEnumerable<object?> Values => entries.Values;

    public IEnumerable<(object? Key, object? Value)> Pairs => entries.Select(pair => (Shown(pair.Key), pair.Value));

    /// <summary>Sets a key while the dictionary is made.</summary>
    public PyDict With(object? key, object? value)
    {
        entries[Checked(key)] = value;
        return this;
    }

    /// <summary>False for keys that are not there.</summary>
    public bool TryGet(object? key, out object? value)
    {
        value = null;
        return key is not (Undefined or PyList { IsTuple: true }) && entries.TryGetValue(Checked(key), out value);
    }

    private static object Checked(object? key) => key switch
    {
        null => NoneKey,
        string or long or bool or double => key,
        Undefined undefined => throw undefined.Problem(),
        _ => throw new ValueException($"a value of type '{PyType.Name(key)}' is not supported as a key"),
    };

    private static object? Shown(object key) => ReferenceEquals(key, NoneKey) ? null : key;

    private sealed class KeyComparer : IEqualityComparer<object>
    {
        bool IEqualityComparer<object>.Equals(object? x, object? y) => x is string one ? y is string other && one == other
            : PyType.IsNumber(x, out var a) ? PyType.IsNumber(y, out var b) && a == b : ReferenceEquals(x, y);

        int IEqualityComparer<object>.GetHashCode([DisallowNull] object obj) =>
            obj is string text ? text.GetHashCode(StringComparison.Ordinal) : PyType.IsNumber(obj, out var real) ? real.GetHashCode() : 0;
    }
}
