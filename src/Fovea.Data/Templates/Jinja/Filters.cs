namespace Fovea.Data.Templates.Jinja;

/// <summary>The filters that there are.</summary>
internal static class Filters
{
    private delegate object? Filter(Rendering rendering, object? subject, Arguments given);

    private static readonly Dictionary<string, Filter> All = new(StringComparer.Ordinal)
    {
        ["abs"] = (_, subject, _) => Absolute(subject),
        ["capitalize"] = (rendering, subject, _) => TextMethods.Capitalize(Text(rendering, subject)),
        ["count"] = (_, subject, _) => ListFilters.Length(subject),
        ["d"] = Default,
        ["default"] = Default,
        ["dictsort"] = (rendering, subject, given) => ListFilters.DictSort(rendering.Work, subject, given),
        ["first"] = (rendering, subject, _) => ListFilters.First(rendering.Work, subject),
        ["float"] = (_, subject, given) => NumberFilters.Float(subject, given),
        ["format"] = (rendering, subject, given) =>
            PyFormat.Percent(rendering.Work, Text(rendering, subject), new PyList(given.Positional, IsTuple: true)),
        ["indent"] = (_, subject, given) => TextFilters.Indent(Only(subject), given),
        ["int"] = (_, subject, given) => NumberFilters.Int(subject, given),
        ["items"] = (_, subject, _) => ListFilters.Pairs(subject),
        ["join"] = (rendering, subject, given) => ListFilters.Join(rendering.Work, subject, given),
        ["last"] = (rendering, subject, _) => ListFilters.Last(rendering.Work, subject),
        ["length"] = (_, subject, _) => ListFilters.Length(subject),
        ["list"] = (rendering, subject, _) => new PyList(PyType.Items(rendering.Work, subject)),
        ["lower"] = (rendering, subject, _) => Text(rendering, subject).ToLowerInvariant(),
        ["map"] = ListFilters.Map,
        ["max"] = (rendering, subject, given) => ListFilters.Extreme(rendering.Work, subject, given, 1),
        ["min"] = (rendering, subject, given) => ListFilters.Extreme(rendering.Work, subject, given, -1),
        ["reject"] = (rendering, subject, given) => ListFilters.Select(rendering.Work, subject, given, byAttribute: false, kept: false),
        ["rejectattr"] = (rendering, subject, given) => ListFilters.Select(rendering.Work, subject, given, byAttribute: true, kept: false),
        ["replace"] = (rendering, subject, given) => TextFilters.Replace(rendering.Work, Text(rendering, subject), given),
        ["reverse"] = (rendering, subject, _) => ListFilters.Reverse(rendering.Work, subject),
        ["round"] = (_, subject, given) => NumberFilters.Round(subject, given),
        ["safe"] = (rendering, subject, _) => Text(rendering, subject),
        ["select"] = (rendering, subject, given) => ListFilters.Select(rendering.Work, subject, given, byAttribute: false, kept: true),
        ["selectattr"] = (rendering, subject, given) => ListFilters.Select(rendering.Work, subject, given, byAttribute: true, kept: true),
        ["sort"] = (rendering, subject, given) => ListFilters.Sort(rendering.Work, subject, given),
        ["string"] = (rendering, subject, _) => Text(rendering, subject),
        ["sum"] = (rendering, subject, given) => ListFilters.Sum(rendering.Work, subject, given),
        ["title"] = (rendering, subject, _) => TextFilters.Title(Text(rendering, subject)),
        ["tojson"] = (rendering, subject, given) => TextFilters.Json(rendering.Work, subject, given),
        ["trim"] = (rendering, subject, given) => TextMethods.Strip(Text(rendering, subject), given.Bind("trim", "chars?")[0], atStart: true, atEnd: true),
        ["truncate"] = (_, subject, given) => TextFilters.Truncate(Only(subject), given),
        ["unique"] = (rendering, subject, given) => ListFilters.Unique(rendering.Work, subject, given),
        ["upper"] = (rendering, subject, _) => Text(rendering, subject).ToUpperInvariant(),
        ["wordcount"] = (rendering, subject, _) => TextFilters.Words(Text(rendering, subject)),
    };

    public static bool Knows(string name) => All.ContainsKey(name);

    public static object? Apply(Rendering rendering, string name, object? subject, Arguments given) => All.TryGetValue(name, out var filter)
        ? Charged(rendering, filter(rendering, Charged(rendering, subject), given))
        : throw new ValueException($"the filter '{name}' is not supported");

    private static object? Charged(Rendering rendering, object? value) => value is string text ? rendering.Work.Charge(text) : value;

    private static string Text(Rendering rendering, object? subject) => rendering.Work.Charge(PyText.Of(rendering.Work, subject));

    private static string Only(object? subject) => subject as string ?? throw (subject is Undefined undefined
        ? undefined.Problem()
        : new ValueException($"the filter takes a text, not a value of type '{PyType.Name(subject)}'"));

    private static object? Default(Rendering rendering, object? subject, Arguments given)
    {
        var bound = given.Bind("default", "default_value?", "boolean?");
        var isMissing = subject is Undefined || (Arguments.Flag(bound[1], false) && !PyType.IsTrue(subject));
        return isMissing ? Arguments.Or(bound[0], string.Empty) : subject;
    }

    private static object Absolute(object? subject) => subject switch
    {
        Undefined undefined => throw undefined.Problem(),
        double real => Math.Abs(real),
        _ => PyType.IsInteger(subject, out var whole) && whole > long.MinValue
            ? (object)Math.Abs(whole)
            : throw new ValueException($"'abs' does not take a value of type '{PyType.Name(subject)}'"),
    };
}
