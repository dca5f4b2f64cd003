using Fovea.Data.Objects;

namespace Fovea.Models.Grids;

/// <summary>How these models write names and places of objects: between tokens of their own, and in JSON.</summary>
internal static class GridObjects
{
    /// <summary>Thousandths of the image.</summary>
    public static ObjectForm InThousandths { get; } = new(BoxScale.Norm1000)
    {
        Name = ("<|object_ref_start|>", "<|object_ref_end|>"),
        Box = ("<|box_start|>", "<|box_end|>"),
        Point = ("<|box_start|>", "<|box_end|>"),
        KnowsJson = true,
    };

    /// <summary>Pixels of the resized image.</summary>
    public static ObjectForm InPixels { get; } = InThousandths with { Scale = BoxScale.None };
}
