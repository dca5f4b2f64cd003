namespace Fovea.Data.Templates.Jinja;

/// <summary>Attributes, items and slices, with what Jinja looks for where something is not there.</summary>
internal static class PyAccess
{
    /// <summary><c>value.name</c>: an attribute or method, else an item.</summary>
    public static object? Attribute(object? value, string name)
    {
        if (value is Undefined undefined)
        {
            throw undefined.Problem();
        }

        if (value is LoopState loop)
        {
            return loop.Get(name);
        }

        if (value is Namespace space)
        {
            return space.Attributes.TryGetValue(name, out var attribute) ? attribute : Undefined.Of(value, name);
        }

        return Own(value, name) ?? (value is PyDict dict && dict.TryGet(name, out var item) ? item
            : name.StartsWith('_') ? new Undefined($"access to '{name}' is not safe, and refused") : Undefined.Of(value, name));
    }

    /// <summary><c>value[key]</c>: an item, else an attribute or method.</summary>
    public static object? Item(Work work, object? value, object? key)
    {
        Charge(work, key);
        switch (value)
        {
            case Undefined undefined:
                throw undefined.Problem();
            case PyDict dict when key is not (PyList or PyDict) && dict.TryGet(key, out var item):
                return item;
            case PyList list when PyType.IsInteger(key, out var at):
                return Within(ref at, list.Items.Count) ? list.Items[(int)at] : Undefined.Of(value, key);
            case PyRange range when PyType.IsInteger(key, out var at):
                return Within(ref at, range.Count) ? range.At(at) : Undefined.Of(value, key);
            case string text when PyType.IsInteger(key, out var at):
                var isPlain = PyText.Length(work.Charge(text)) == text.Length;
                return !Within(ref at, isPlain ? text.Length : PyText.Length(text)) ? Undefined.Of(value, key)
                    : isPlain ? text[(int)at].ToString() : PyText.Characters(work, text)[(int)at];
            default:
                return key is not string name ? Undefined.Of(value, PyType.Name(key))
                    : value is Namespace or LoopState ? Attribute(value, name) : Own(value, name) ?? Undefined.Of(value, name);
        }
    }

    /// <summary><c>value[start:stop:step]</c>.</summary>
    public static object? Slice(Work work, object? value, object? start, object? stop, object? step)
    {
        if (value is Undefined undefined)
        {
            throw undefined.Problem();
        }

        if (value is string text && PyText.Length(work.Charge(text)) == text.Length && step is null)
        {
            var (from, _, count, _) = Bounds(text.Length, start, stop, step);
            return work.Charge(text.Substring((int)Math.Min(from, text.Length), count));
        }

        if (value is not (string or PyList or PyRange))
        {
            throw new ValueException($"a value of type '{PyType.Name(value)}' has no slices");
        }

        var items = PyType.Items(work, value);
        var (first, last, length, by) = Bounds(items.Count, start, stop, step);
        var taken = Enumerable.Range(0, length).Select(i => items[(int)(first + (i * by))]);
        return value switch
        {
            string => string.Concat(taken),
            PyRange range => new PyRange(range.At(first), range.At(last), range.Step * by, length),
            _ => new PyList([.. taken], ((PyList)value).IsTuple),
        };
    }

    private static (long Start, long Stop, int Count, long Step) Bounds(int length, object? start, object? stop, object? step)
    {
        var by = Bound(step) ?? 1;
        if (by == 0)
        {
            throw new ValueException("a slice's step is zero");
        }

        var (low, high) = by > 0 ? (0L, (long)length) : (-1L, length - 1L);
        var from = Place(Bound(start), by > 0 ? low : high);
        var to = Place(Bound(stop), by > 0 ? high : low);
        var span = by > 0 ? to - from : from - to;
        return (from, to, span <= 0 ? 0 : (int)(((span - 1) / Math.Abs(Math.Max(by, -long.MaxValue))) + 1), by);

        long Place(long? bound, long missing) => bound is not { } at ? missing : Math.Clamp(at < 0 ? at + length : at, low, high);
    }

    private static long? Bound(object? value) => value is null ? null
        : PyType.IsInteger(value, out var whole) ? whole
        : throw (value is Undefined undefined ? undefined.Problem() : new ValueException($"a slice is bounded by a value of type '{PyType.Name(value)}'"));

    /// <summary>Counts the work on a key.</summary>
    public static void Charge(Work work, object? key) => _ = key is string text ? work.Charge(text) : null;

    private static bool Within(ref long at, int count)
    {
        at = at < 0 ? at + count : at;
        return at >= 0 && at < count;
    }

    /// <summary>What a value has by its type; null for nothing of that name.</summary>
    private static object? Own(object? value, string name) => value switch
    {
        string text => TextMethods.Find(text, name),
        PyDict dict => ListMethods.Find(dict, name),
        PyList list => ListMethods.Find(list, name),
        _ => null,
    };
}
