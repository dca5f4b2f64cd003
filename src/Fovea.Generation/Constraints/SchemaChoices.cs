namespace Fovea.Generation.Constraints;

/// <summary>
/// Whether no value satisfies two schemas: by their types, by the values they name, by a property that both require, or by one that one requires and the other
/// forbids. Only then is <c>oneOf</c> the same as <c>anyOf</c>, which an automaton can hold.
/// </summary>
/// <param name="reader">Takes schemas apart.</param>
/// <param name="look">Throws where nobody waits for the result any more.</param>
internal sealed class SchemaChoices(SchemaReader reader, Action look)
{
    private const int MostDepth = 4;

    // Each is compared with each.
    private const int MostBranches = 1000;

    /// <exception cref="ConfigException">Two branches are not plainly apart.</exception>
    public void RequireApart(SchemaPlace oneOf)
    {
        var branches = oneOf.Items().Select(reader.Facts).ToList();
        if (branches.Count > MostBranches)
        {
            throw oneOf.Wrong($"oneOf has {branches.Count} branches, and at most {MostBranches} are compared: use anyOf");
        }

        for (var i = 0; i < branches.Count; i++)
        {
            look();
            for (var j = 0; j < i; j++)
            {
                if (!Apart(branches[i], branches[j], 0))
                {
                    throw oneOf.Wrong($"the branches {j} and {i} of oneOf may both hold, which cannot be ruled out token by token: "
                        + "use anyOf, or give both a required property with different const values");
                }
            }
        }
    }

    private bool Apart(List<SchemaFact> a, List<SchemaFact> b, int depth)
    {
        if (depth == MostDepth || a.Concat(b).Any(fact => fact.Keyword == "false"))
        {
            return depth < MostDepth;
        }

        var (values, others) = (SchemaValues.Of(a), SchemaValues.Of(b));
        if (values is not null && others is not null)
        {
            return !values.Any(value => others.Any(other => SchemaValues.Same(value, other)));
        }

        var (types, otherTypes) = (SchemaTypes.Named(a), SchemaTypes.Named(b));
        if ((values is not null && otherTypes is not null && !values.Any(value => SchemaTypes.Hold(otherTypes, value)))
            || (others is not null && types is not null && !others.Any(other => SchemaTypes.Hold(types, other))))
        {
            return true;
        }

        if (types is null || otherTypes is null)
        {
            return false;
        }

        return SchemaTypes.Apart(types, otherTypes)
            || (types is { Count: 1 } && otherTypes is { Count: 1 } && types.Contains("object") && otherTypes.Contains("object")
                && ObjectsApart(new SchemaObject(a), new SchemaObject(b), depth));
    }

    private bool ObjectsApart(SchemaObject a, SchemaObject b, int depth) =>
        a.Required.Any(b.Forbids) || b.Required.Any(a.Forbids)
        || a.Required.Intersect(b.Required).Any(name => a.Of(name) is { Count: > 0 } own && b.Of(name) is { Count: > 0 } other
            && Apart([.. own.SelectMany(reader.Facts)], [.. other.SelectMany(reader.Facts)], depth + 1));
}
