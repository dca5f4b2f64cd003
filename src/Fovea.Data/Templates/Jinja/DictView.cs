namespace Fovea.Data.Templates.Jinja;

/// <summary>What <c>keys()</c>, <c>values()</c> and <c>items()</c> of a dictionary return.</summary>
/// <param name="Dict">The dictionary.</param>
/// <param name="Kind">The method's name.</param>
internal sealed record DictView(PyDict Dict, string Kind)
{
    public string TypeName => $"dict_{Kind}";

    public IReadOnlyList<object?> Items() => Kind switch
    {
        "keys" => [.. Dict.Keys],
        "values" => [.. Dict.Values],
        _ => [.. Dict.Pairs.Select(pair => new PyList([pair.Key, pair.Value], IsTuple: true))],
    };
}
