using System.Globalization;

namespace Fovea.Data.Templates.Jinja;

/// <summary>Filters over the items of a value.</summary>
internal static class ListFilters
{
    public static object Length(object? subject) => subject switch
    {
        string text => (long)PyText.Length(text),
        PyList list => (long)list.Items.Count,
        PyDict dict => (long)dict.Count,
        DictView view => (long)view.Dict.Count,
        PyRange range => (long)range.Count,
        Undefined => 0L,
        _ => throw new ValueException($"a value of type '{PyType.Name(subject)}' has no length"),
    };

    public static object? First(Work work, object? subject)
    {
        if (subject is Generator generator)
        {
            return generator.TryTake(out var item) ? item : new Undefined("there is no first item");
        }

        return PyType.Items(work, subject) is [var first, ..] ? first : new Undefined("there is no first item");
    }

    public static object? Last(Work work, object? subject) => subject is Generator
        ? throw new ValueException("a value of type 'generator' has no last item")
        : PyType.Items(work, subject) is [.., var last] ? last : new Undefined("there is no last item");

    public static object Reverse(Work work, object? subject)
    {
        var items = PyType.Items(work, subject).Reverse();
        return subject is string ? string.Concat(items) : new Generator([.. items]);
    }

    public static Generator Pairs(object? subject) => subject switch
    {
        Undefined => new Generator([]),
        PyDict dict => new Generator(new DictView(dict, "items").Items()),
        _ => throw new ValueException($"'items' does not take a value of type '{PyType.Name(subject)}'"),
    };

    public static string Join(Work work, object? subject, Arguments given)
    {
        var bound = given.Bind("join", "d?", "attribute?");
        var between = PyText.Of(work, Arguments.Or(bound[0], string.Empty));
        var get = Getter(work, Arguments.Or(bound[1], null), Arguments.Missing);
        var texts = PyType.Items(work, subject).Select(item => PyText.Of(work, get(item))).ToArray();
        var length = texts.Sum(text => (long)text.Length) + ((long)between.Length * Math.Max(texts.Length - 1, 0));
        return length > work.Limits.Characters
            ? throw new ValueException($"the template makes a text of more than {work.Limits.Characters:N0} characters")
            : work.Charge(string.Join(between, texts));
    }

    public static object Map(Rendering rendering, object? subject, Arguments given)
    {
        var items = Given(rendering.Work, subject);
        if (given.Positional.Count == 0 && given.Named.TryGetValue("attribute", out var attribute))
        {
            var others = given.Named.Keys.Except(["attribute", "default"]).FirstOrDefault();
            var get = others is null
                ? Getter(rendering.Work, attribute, given.Named.GetValueOrDefault("default", Arguments.Missing))
                : throw new ValueException($"'map' has no argument '{others}'");
            return new Generator([.. items.Select(get)]);
        }

        var name = given.Positional is [string filter, ..] ? filter : throw new ValueException("'map' needs an attribute or the name of a filter");
        var rest = given with { Positional = [.. given.Positional.Skip(1)] };
        return new Generator([.. items.Select(item => Filters.Apply(rendering, name, item, rest))]);
    }

    public static Generator Select(Work work, object? subject, Arguments given, bool byAttribute, bool kept)
    {
        var positional = given.Positional;
        Func<object?, object?> get = item => item;
        if (byAttribute)
        {
            get = Getter(work, positional.Count > 0 ? positional[0] : throw new ValueException("an attribute's name is missing"), Arguments.Missing);
            positional = [.. positional.Skip(1)];
        }

        if (positional.Count == 0)
        {
            return Where(item => PyType.IsTrue(get(item)));
        }

        var test = positional[0] as string ?? throw new ValueException("the name of a test must be a text");
        var rest = given with { Positional = [.. positional.Skip(1)] };
        return Where(item => ValueTests.Apply(work, test, get(item), rest));

        Generator Where(Func<object?, bool> holds) => new([.. Given(work, subject).Where(item => holds(item) == kept)]);
    }

    public static PyList DictSort(Work work, object? subject, Arguments given)
    {
        var bound = given.Bind("dictsort", "case_sensitive?", "by?", "reverse?");
        var at = Arguments.Text(bound[1], "key", "'by' of dictsort") switch
        {
            "key" => 0,
            "value" => 1,
            _ => throw new ValueException("'by' of dictsort must be key or value"),
        };
        var key = Folding(work, null, Arguments.Flag(bound[0], false));
        var dict = subject as PyDict ?? throw new ValueException($"'dictsort' does not take a value of type '{PyType.Name(subject)}'");
        var items = new DictView(dict, "items").Items();
        return new PyList(Sorted(work, items, item => key(((PyList)item!).Items[at]), Arguments.Flag(bound[2], false)));
    }

    public static PyList Sort(Work work, object? subject, Arguments given)
    {
        var bound = given.Bind("sort", "reverse?", "case_sensitive?", "attribute?");
        var attribute = Arguments.Or(bound[2], null);
        var folds = Arguments.Flag(bound[1], false);
        Func<object?, object?> key;
        if (attribute is string several && several.Contains(',', StringComparison.Ordinal))
        {
            var keys = several.Split(',').Select(name => Folding(work, name, folds)).ToArray();
            key = item => new PyList([.. keys.Select(get => get(item))]);
        }
        else
        {
            key = Folding(work, attribute, folds);
        }

        return new PyList(Sorted(work, PyType.Items(work, subject), key, Arguments.Flag(bound[0], false)));
    }

    public static Generator Unique(Work work, object? subject, Arguments given)
    {
        var bound = given.Bind("unique", "case_sensitive?", "attribute?");
        var key = Folding(work, Arguments.Or(bound[1], null), Arguments.Flag(bound[0], false));
        var seen = new PyDict();
        var kept = new List<object?>();
        foreach (var item in PyType.Items(work, subject))
        {
            var own = key(item);
            if (!seen.TryGet(own, out _))
            {
                seen.With(own, null);
                kept.Add(item);
            }
        }

        return new Generator(kept);
    }

    /// <param name="sign">1 for the largest, -1 for the smallest.</param>
    public static object? Extreme(Work work, object? subject, Arguments given, int sign)
    {
        var bound = given.Bind(sign > 0 ? "max" : "min", "case_sensitive?", "attribute?");
        var key = Folding(work, Arguments.Or(bound[1], null), Arguments.Flag(bound[0], false));
        var items = PyType.Items(work, subject);
        if (items.Count == 0)
        {
            return new Undefined("nothing is the largest or smallest of nothing");
        }

        return items.Aggregate((best, item) => PyCompare.Order(work, sign > 0 ? ">" : "<", key(item), key(best)) * sign > 0 ? item : best);
    }

    public static object? Sum(Work work, object? subject, Arguments given)
    {
        var bound = given.Bind("sum", "attribute?", "start?");
        var get = Getter(work, Arguments.Or(bound[0], null), Arguments.Missing);
        return PyType.Items(work, subject).Aggregate(Arguments.Or(bound[1], 0L), (sum, item) => PyMath.Apply(work, "+", sum, get(item)));
    }

    /// <summary>The items of a value; what is false has none, whatever it is.</summary>
    private static IReadOnlyList<object?> Given(Work work, object? subject) => PyType.IsTrue(subject) ? PyType.Items(work, subject) : [];

    /// <summary>What an attribute with dots in its name, or a number of an item, leads to; null for the item itself.</summary>
    private static Func<object?, object?> Getter(Work work, object? attribute, object? missing)
    {
        if (attribute is null)
        {
            return item => item;
        }

        object?[] steps = attribute is string path
            ? [.. path.Split('.').Select(step => long.TryParse(step, NumberStyles.None, CultureInfo.InvariantCulture, out var at) ? (object)at : step)]
            : [attribute];
        return item =>
        {
            foreach (var step in steps)
            {
                item = PyAccess.Item(work, item, step);
                item = item is Undefined && !ReferenceEquals(missing, Arguments.Missing) ? missing : item;
            }

            return item;
        };
    }

    /// <summary>As <see cref="Getter"/>, and texts in lower case unless case counts.</summary>
    private static Func<object?, object?> Folding(Work work, object? attribute, bool caseCounts)
    {
        var get = Getter(work, attribute, Arguments.Missing);
        return item => get(item) is var value && value is string text && !caseCounts ? text.ToLowerInvariant() : value;
    }

    /// <summary>Sorted by a key; equal ones stay in their order.</summary>
    private static List<object?> Sorted(Work work, IReadOnlyList<object?> items, Func<object?, object?> key, bool reverse)
    {
        var comparer = Comparer<object?>.Create((one, other) => PyCompare.Order(work, "<", one, other));
        try
        {
            return [.. reverse ? items.OrderByDescending(key, comparer) : items.OrderBy(key, comparer)];
        }
        catch (InvalidOperationException e) when (e.InnerException is ValueException inner)
        {
            throw new ValueException(inner.Message);
        }
    }
}
