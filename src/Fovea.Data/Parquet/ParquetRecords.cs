namespace Fovea.Data.Parquet;

/// <summary>Puts the values of a row's leaves together again: null, truth, number, text, bytes, a list, or named fields.</summary>
internal static class ParquetRecords
{
    /// <param name="cells">The row's cells of each leaf below <paramref name="node"/>, in order.</param>
    /// <exception cref="InvalidDataException">The leaves do not belong to one row.</exception>
    public static object? Value(ParquetNode node, ReadOnlySpan<ArraySegment<ParquetCell>> cells)
    {
        foreach (var segment in cells)
        {
            if (segment.Count == 0)
            {
                throw new InvalidDataException("columns of unequal length");
            }
        }

        return node.IsRepeated ? Items(node, cells) : cells[0][0].Defined < node.Defined ? null : One(node, cells);
    }

    private static List<object?> Items(ParquetNode node, ReadOnlySpan<ArraySegment<ParquetCell>> cells)
    {
        var items = new List<object?>();
        if (cells[0][0].Defined < node.Defined)
        {
            return items;
        }

        var rest = cells.ToArray();
        while (rest[0].Count > 0)
        {
            var item = new ArraySegment<ParquetCell>[rest.Length];
            for (var leaf = 0; leaf < rest.Length; leaf++)
            {
                var length = Math.Min(1, rest[leaf].Count);
                while (length < rest[leaf].Count && rest[leaf][length].Repeated > node.Repeated)
                {
                    length++;
                }

                item[leaf] = length > 0 ? rest[leaf][..length] : throw new InvalidDataException("lists of unequal length");
                rest[leaf] = rest[leaf][length..];
            }

            items.Add(One(node, item));
        }

        return items;
    }

    private static object? One(ParquetNode node, ReadOnlySpan<ArraySegment<ParquetCell>> cells)
    {
        if (node.IsLeaf)
        {
            return cells[0][0].Value;
        }

        if (node.IsList)
        {
            return List(node.Children[0], cells);
        }

        var fields = new List<KeyValuePair<string, object?>>();
        foreach (var child in node.Children)
        {
            fields.Add(new(child.Name, Value(child, cells.Slice(child.Leaf - node.Leaf, child.Leaves))));
        }

        return fields;
    }

    /// <summary>Three levels (list, element) everywhere but in the oldest files, where the repeated field is the element itself.</summary>
    private static List<object?> List(ParquetNode repeated, ReadOnlySpan<ArraySegment<ParquetCell>> cells)
    {
        var items = (List<object?>)Value(repeated, cells)!;
        return repeated.Children.Count != 1 || repeated.Name == "array" || repeated.Name.EndsWith("_tuple", StringComparison.Ordinal)
            ? items
            : items.ConvertAll(item => item is List<KeyValuePair<string, object?>> fields ? fields[0].Value : item);
    }
}
