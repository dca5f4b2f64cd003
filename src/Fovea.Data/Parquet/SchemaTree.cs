using ParquetSharp;
using ParquetSharp.Schema;

namespace Fovea.Data.Parquet;

/// <summary>A file's schema with the levels and leaves of each field.</summary>
internal sealed class SchemaTree
{
    private int leaves;

    private SchemaTree()
    {
    }

    public static IReadOnlyList<ParquetNode> Read(SchemaDescriptor schema)
    {
        using var root = schema.GroupNode;
        return new SchemaTree().Fields(root, 0, 0);
    }

    private List<ParquetNode> Fields(GroupNode group, int defined, int repeated)
    {
        var nodes = new List<ParquetNode>();
        foreach (var field in group.Fields)
        {
            using (field)
            {
                nodes.Add(Node(field, defined, repeated));
            }
        }

        return nodes;
    }

    private ParquetNode Node(Node field, int defined, int repeated)
    {
        defined += field.Repetition == Repetition.Required ? 0 : 1;
        repeated += field.Repetition == Repetition.Repeated ? 1 : 0;
        using var logical = field.LogicalType;
        var first = leaves;
        var leaf = field as PrimitiveNode;
        leaves += leaf is null ? 0 : 1;
        var children = field is GroupNode group ? Fields(group, defined, repeated) : [];
        return new ParquetNode(field.Name, leaf?.PhysicalType, leaf?.TypeLength ?? 0, defined, repeated, first, leaves - first, children)
        {
            IsRepeated = field.Repetition == Repetition.Repeated,
            IsText = logical.Type is LogicalTypeEnum.String or LogicalTypeEnum.Enum or LogicalTypeEnum.Json,
            IsList = logical.Type == LogicalTypeEnum.List && children is [{ IsRepeated: true }],
        };
    }
}
