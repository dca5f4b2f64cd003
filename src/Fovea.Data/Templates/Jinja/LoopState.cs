namespace Fovea.Data.Templates.Jinja;

/// <summary>What <c>loop</c> says within a loop.</summary>
internal sealed class LoopState(IReadOnlyList<object?> items)
{
    private object? changed = Arguments.Missing;

    public int Index { get; set; }

    public object? Get(string name) => name switch
    {
        "index" => Index + 1L,
        "index0" => (long)Index,
        "revindex" => (long)items.Count - Index,
        "revindex0" => items.Count - Index - 1L,
        "first" => Index == 0,
        "last" => Index == items.Count - 1,
        "length" => (long)items.Count,
        "depth" => 1L,
        "depth0" => 0L,
        "previtem" => Index > 0 ? items[Index - 1] : new Undefined("there is no previous item"),
        "nextitem" => Index < items.Count - 1 ? items[Index + 1] : new Undefined("there is no next item"),
        "cycle" => new Callable("loop.cycle", (_, given) => given.Positional.Count > 0
            ? given.Positional[Index % given.Positional.Count]
            : throw new ValueException("no items for cycling given")),
        "changed" => new Callable("loop.changed", (rendering, given) =>
        {
            var now = new PyList(given.Positional, IsTuple: true);
            var same = changed is PyList before && PyCompare.Equal(rendering.Work, before, now);
            changed = now;
            return !same;
        }),
        _ => Undefined.Of(this, name),
    };
}
