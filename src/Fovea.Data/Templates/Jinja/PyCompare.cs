namespace Fovea.Data.Templates.Jinja;

/// <summary>Comparisons as Python makes them.</summary>
internal static class PyCompare
{
    /// <summary>Whether a comparison holds.</summary>
    public static bool Holds(Work work, string sign, object? left, object? right) => sign switch
    {
        "==" => Equal(work, left, right),
        "!=" => !Equal(work, left, right),
        "in" => Contains(work, right, left),
        "not in" => !Contains(work, right, left),
        "<" => Order(work, sign, left, right) < 0,
        "<=" => Order(work, sign, left, right) <= 0,
        ">" => Order(work, sign, left, right) > 0,
        _ => Order(work, sign, left, right) >= 0,
    };

    public static bool Equal(Work work, object? left, object? right)
    {
        work.Enter();
        var equal = (left, right) switch
        {
            (string one, string other) => one.Length == other.Length && work.Charge(one) == other,
            (long one, long other) => one == other,
            (PyList one, PyList other) => one.IsTuple == other.IsTuple && one.Items.Count == other.Items.Count
                && Enumerable.Range(0, one.Items.Count).All(i => Equal(work, one.Items[i], other.Items[i])),
            (PyDict one, PyDict other) => one.Count == other.Count
                && one.Pairs.All(pair => other.TryGet(pair.Key, out var value) && Equal(work, pair.Value, value)),
            (PyRange one, PyRange other) => one.Count == other.Count
                && (one.Count == 0 || (one.Start == other.Start && (one.Count == 1 || one.Step == other.Step))),
            (Undefined, Undefined) or (null, null) => true,
            _ => PyType.IsNumber(left, out var a) ? PyType.IsNumber(right, out var b) && a == b : ReferenceEquals(left, right),
        };
        work.Leave();
        return equal;
    }

    /// <summary>Less than, equal to or more than nothing, as the left is beside the right.</summary>
    /// <param name="sign">Of the comparison, for the message.</param>
    public static int Order(Work work, string sign, object? left, object? right)
    {
        work.Enter();
        int order;
        if (left is Undefined || right is Undefined)
        {
            throw (left as Undefined ?? (Undefined)right!).Problem();
        }

        if (left is long first && right is long second)
        {
            order = first.CompareTo(second);
        }
        else if (PyType.IsNumber(left, out var a) && PyType.IsNumber(right, out var b))
        {
            // Nothing compares with what is no number.
            order = double.IsNaN(a) || double.IsNaN(b) ? (sign[0] == '<' ? 1 : -1) : a.CompareTo(b);
        }
        else if (left is string one && right is string other)
        {
            order = Order(work.Charge(one), work.Charge(other));
        }
        else if (left is PyList list && right is PyList rest && list.IsTuple == rest.IsTuple)
        {
            var at = 0;
            while (at < list.Items.Count && at < rest.Items.Count && Equal(work, list.Items[at], rest.Items[at]))
            {
                at++;
            }

            order = at < list.Items.Count && at < rest.Items.Count
                ? Order(work, sign, list.Items[at], rest.Items[at])
                : list.Items.Count.CompareTo(rest.Items.Count);
        }
        else
        {
            throw new ValueException($"'{sign}' does not compare a value of type '{PyType.Name(left)}' with one of type '{PyType.Name(right)}'");
        }

        work.Leave();
        return order;
    }

    /// <summary>Whether an item is in a value, or a text in a text.</summary>
    public static bool Contains(Work work, object? container, object? item)
    {
        PyAccess.Charge(work, item);
        switch (container)
        {
            case string text:
                return item is string part
                    ? work.Charge(text).Contains(part, StringComparison.Ordinal)
                    : throw new ValueException($"a value of type '{PyType.Name(item)}' cannot be 'in' a text");
            case PyDict dict:
                return dict.TryGet(item, out _);
            case DictView { Kind: "keys" } view:
                return view.Dict.TryGet(item, out _);
            default:
                return PyType.IsIterable(container)
                    ? PyType.Items(work, container).Any(other => Equal(work, other, item))
                    : throw new ValueException($"nothing can be 'in' a value of type '{PyType.Name(container)}'");
        }
    }

    /// <summary>By code points.</summary>
    private static int Order(string one, string other)
    {
        for (var i = 0; i < one.Length && i < other.Length; i++)
        {
            var (a, b) = (one[i], other[i]);
            if (a != b)
            {
                // Halves of pairs stand for code points above all others.
                return char.IsSurrogate(a) == char.IsSurrogate(b) ? a.CompareTo(b) : char.IsSurrogate(a) ? 1 : -1;
            }
        }

        return one.Length.CompareTo(other.Length);
    }
}
