namespace Fovea.Data.Templates.Jinja;

/// <summary>Items that can be gone through once, as filters such as <c>map</c> return them.</summary>
internal sealed class Generator(IReadOnlyList<object?> items)
{
    private int at;

    /// <summary>What nobody took yet.</summary>
    public IReadOnlyList<object?> Take()
    {
        var rest = items.Skip(at).ToArray();
        at = items.Count;
        return rest;
    }

    /// <summary>The next item alone.</summary>
    public bool TryTake(out object? item)
    {
        item = at < items.Count ? items[at] : null;
        return at++ < items.Count;
    }
}
