namespace Fovea.Data.Templates.Jinja;

/// <summary>Methods of lists and dictionaries. Those that would change one are refused, as the sandbox of Transformers does.</summary>
internal static class ListMethods
{
    private static readonly string[] ChangingLists = ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"];
    private static readonly string[] ChangingDicts = ["clear", "pop", "popitem", "setdefault", "update"];

    /// <summary>The method of that name, or null.</summary>
    public static Callable? Find(PyList list, string name) => name switch
    {
        "count" => new Callable(name, (rendering, given) =>
        {
            var item = given.Bind(name, "value")[0];
            return (long)PyType.Items(rendering.Work, list).Count(other => PyCompare.Equal(rendering.Work, other, item));
        }),
        "index" => new Callable(name, (rendering, given) =>
        {
            var item = given.Bind(name, "value")[0];
            var at = PyType.Items(rendering.Work, list).TakeWhile(other => !PyCompare.Equal(rendering.Work, other, item)).Count();
            return at < list.Items.Count ? (long)at : throw new ValueException("the item is not in the list");
        }),
        "copy" when !list.IsTuple => new Callable(name, (_, given) => given.Bind(name).Length == 0 ? list : null),
        _ when ChangingLists.Contains(name) && !list.IsTuple => Refused(name),
        _ => null,
    };

    /// <summary>The method of that name, or null.</summary>
    public static Callable? Find(PyDict dict, string name) => name switch
    {
        "items" or "keys" or "values" => new Callable(name, (_, given) => given.Bind(name).Length == 0 ? new DictView(dict, name) : null),
        "get" => new Callable(name, (rendering, given) =>
        {
            var bound = given.Bind(name, "key", "default?");
            PyAccess.Charge(rendering.Work, bound[0]);
            return dict.TryGet(bound[0], out var value) ? value : Arguments.Or(bound[1], null);
        }),
        "copy" => new Callable(name, (_, given) => given.Bind(name).Length == 0 ? dict : null),
        "fromkeys" => Refused(name),
        _ when ChangingDicts.Contains(name) => Refused(name),
        _ => null,
    };

    private static Callable Refused(string name) =>
        new(name, (_, _) => throw new ValueException($"'{name}' is refused: templates must not change what they are given"));
}
