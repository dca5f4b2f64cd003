using System.Text;

namespace Fovea.Data.Parquet;

/// <summary>The flat list of schema elements in a footer, as a tree.</summary>
internal sealed class SchemaTree
{
    private const int Deepest = 32;
    private readonly List<Dictionary<int, object>> elements;
    private int next = 1;
    private int leaves;

    private SchemaTree(List<Dictionary<int, object>> elements) => this.elements = elements;

    /// <exception cref="InvalidDataException">It ends too early or nests too deep.</exception>
    public static IReadOnlyList<ParquetNode> Read(List<Dictionary<int, object>> elements)
    {
        var schema = new SchemaTree(elements);
        var nodes = new List<ParquetNode>();
        for (var left = elements.Count == 0 ? 0 : Number(elements[0], 5, 0); left > 0; left--)
        {
            nodes.Add(schema.Node(0, 0, 0));
        }

        return nodes;
    }

    private static long Number(Dictionary<int, object> element, int field, long otherwise) => (long)element.GetValueOrDefault(field, otherwise);

    private ParquetNode Node(int defined, int repeated, int depth)
    {
        if (next >= elements.Count || depth > Deepest)
        {
            throw new InvalidDataException("the schema ends too early or nests too deep");
        }

        var element = elements[next++];
        var repetition = Number(element, 3, 0);
        defined += repetition == 0 ? 0 : 1;
        repeated += repetition == 2 ? 1 : 0;
        var first = leaves;
        var children = new List<ParquetNode>();
        var inside = Number(element, 5, 0);
        leaves += inside == 0 ? 1 : 0;
        for (; inside > 0; inside--)
        {
            children.Add(Node(defined, repeated, depth + 1));
        }

        // Converted types UTF8, ENUM and JSON, and the logical types of the same meaning; LIST.
        var (converted, logical) = (Number(element, 6, -1), element.GetValueOrDefault(10) as Dictionary<int, object>);
        return new ParquetNode(
            Encoding.UTF8.GetString((byte[])element[4]), children.Count > 0 ? -1 : (int)Number(element, 1, 99), (int)Number(element, 2, 0),
            defined, repeated, first, leaves - first, children)
        {
            IsRepeated = repetition == 2,
            IsOptional = repetition == 1,
            IsText = converted is 0 or 4 or 19 || logical?.Keys.Any(key => key is 1 or 4 or 12) == true,
            IsList = (converted == 3 || logical?.ContainsKey(3) == true) && children is [{ IsRepeated: true }],
        };
    }
}
