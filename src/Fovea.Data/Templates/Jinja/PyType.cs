namespace Fovea.Data.Templates.Jinja;

/// <summary>
/// Values of templates behave as Python's: None is null, bool, int (64 bits), float (double), str (string), and the types of this folder for lists, tuples,
/// dictionaries and the rest.
/// </summary>
internal static class PyType
{
    /// <summary>Python's name of a value's type.</summary>
    public static string Name(object? value) => value switch
    {
        null => "NoneType",
        bool => "bool",
        long => "int",
        double => "float",
        string => "str",
        PyList { IsTuple: true } => "tuple",
        PyList => "list",
        PyDict => "dict",
        PyRange => "range",
        DictView view => view.TypeName,
        Generator => "generator",
        Undefined => "Undefined",
        Namespace => "Namespace",
        LoopState => "LoopContext",
        Callable => "function",
        _ => value.GetType().Name,
    };

    /// <summary>Whether a condition holds.</summary>
    public static bool IsTrue(object? value) => value switch
    {
        null or Undefined => false,
        bool flag => flag,
        long whole => whole != 0,
        double real => real != 0,
        string text => text.Length > 0,
        PyList list => list.Items.Count > 0,
        PyDict dict => dict.Count > 0,
        DictView view => view.Dict.Count > 0,
        PyRange range => range.Count > 0,
        _ => true,
    };

    /// <summary>True and False count as 1 and 0.</summary>
    public static bool IsInteger(object? value, out long whole)
    {
        whole = value switch { bool flag => flag ? 1 : 0, long number => number, _ => 0 };
        return value is bool or long;
    }

    /// <summary>Any number as a float.</summary>
    public static bool IsNumber(object? value, out double real)
    {
        real = value switch { bool flag => flag ? 1 : 0, long whole => whole, double number => number, _ => 0 };
        return value is bool or long or double;
    }

    /// <summary>The items that a loop over a value sees.</summary>
    public static IReadOnlyList<object?> Items(Work work, object? value)
    {
        IReadOnlyList<object?> items = value switch
        {
            PyList list => list.Items,
            PyDict dict => [.. dict.Keys],
            DictView view => view.Items(),
            PyRange range => range.Items(),
            Generator generator => generator.Take(),
            string text => PyText.Characters(work, text),
            Undefined => [],
            _ => throw new ValueException($"a value of type '{Name(value)}' cannot be gone through"),
        };
        work.ChargeItems(items.Count);
        return items;
    }

    /// <summary>Whether a value can be gone through.</summary>
    public static bool IsIterable(object? value) => value is PyList or PyDict or DictView or PyRange or Generator or string or Undefined or LoopState;
}
