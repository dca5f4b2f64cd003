namespace Fovea.Data.Templates.Jinja;

/// <summary>The functions that every template has: Jinja's own and those of Transformers.</summary>
internal static class Globals
{
    private static readonly Dictionary<string, Callable> Functions = new Callable[]
    {
        new("range", (rendering, given) => Range(rendering.Work, given)),
        new("dict", (rendering, given) => Dict(rendering.Work, given)),
        new("namespace", (rendering, given) => Space(Dict(rendering.Work, given))),
        new("raise_exception", (rendering, given) =>
            throw new ValueException(PyText.Of(rendering.Work, given.Bind("raise_exception", "message")[0])) { Raised = true }),
        new("strftime_now", (rendering, given) => PyFormat.Date(rendering.Now, Arguments.Text(given.Bind("strftime_now", "format")[0], "", "the format"))),
        new("cycler", (_, _) => throw new ValueException("the function 'cycler' is not supported")),
        new("joiner", (_, _) => throw new ValueException("the function 'joiner' is not supported")),
        new("lipsum", (_, _) => throw new ValueException("the function 'lipsum' is not supported")),
    }.ToDictionary(function => function.Name, StringComparer.Ordinal);

    /// <summary>The function of that name, or null.</summary>
    public static Callable? Find(string name) => Functions.GetValueOrDefault(name);

    private static PyRange Range(Work work, Arguments given)
    {
        var bound = given.Bind("range", "start", "stop?", "step?");
        var hasStop = !ReferenceEquals(bound[1], Arguments.Missing);
        var start = hasStop ? Arguments.Whole(bound[0], 0, "a bound of range") : 0;
        var stop = Arguments.Whole(hasStop ? bound[1] : bound[0], 0, "a bound of range");
        var step = Arguments.Whole(bound[2], 1, "the step of range");
        if (step == 0)
        {
            throw new ValueException("the step of range is zero");
        }

        var span = step > 0 ? (decimal)stop - start : (decimal)start - stop;
        var count = span <= 0 ? 0 : decimal.Floor((span - 1) / Math.Abs((decimal)step)) + 1;
        return new PyRange(start, stop, step, work.ChargeItems(count > long.MaxValue ? long.MaxValue : (long)count));
    }

    private static PyDict Dict(Work work, Arguments given)
    {
        var dict = new PyDict();
        if (given.Positional.Count > 1)
        {
            throw new ValueException("a dictionary is made of at most one value and names");
        }

        foreach (var (key, value) in given.Positional is [PyDict source] ? source.Pairs : given.Positional is [var pairs] ? Pairs(work, pairs) : [])
        {
            dict.With(key, value);
        }

        foreach (var (name, value) in given.Named)
        {
            dict.With(name, value);
        }

        return dict;
    }

    private static IEnumerable<(object? Key, object? Value)> Pairs(Work work, object? pairs) =>
        PyType.Items(work, pairs).Select(pair => PyType.Items(work, pair) is [var key, var value]
            ? (key, value)
            : throw new ValueException("a dictionary is made of pairs"));

    private static Namespace Space(PyDict dict)
    {
        var space = new Namespace();
        foreach (var (key, value) in dict.Pairs)
        {
            space.Attributes[key as string ?? throw new ValueException("names in a namespace must be texts")] = value;
        }

        return space;
    }
}
