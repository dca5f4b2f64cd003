namespace Fovea;

/// <summary>How names and places of objects are written into the text.</summary>
public enum ObjectFormat
{
    /// <summary>With the model's marks: <c>&lt;|box_start|&gt;(x1,y1),(x2,y2)&lt;|box_end|&gt;</c> for Qwen-VL, as ms-swift writes them.</summary>
    Legacy,

    /// <summary>As a list of numbers, <c>[x1, y1, x2, y2]</c>, for rows that write the JSON around it themselves; ms-swift's <c>new</c>.</summary>
    New,

    /// <summary>As JSON objects of <c>bbox_2d</c> or <c>point_2d</c> and <c>label</c>, as Qwen2.5-VL and later models answer.</summary>
    Json,
}
