namespace Fovea;

/// <summary>
/// Where something is in an image, within a message: an <see cref="ObjectBox"/> or an <see cref="ObjectPoint"/>. It is rescaled to the coordinates that the
/// model knows, and written in the model's own form.
/// </summary>
public abstract record ObjectPlace : Part
{
    private protected ObjectPlace()
    {
    }

    /// <summary>What the numbers count; default: pixels of the original image.</summary>
    public CoordinateUnit Unit { get; init; }

    /// <summary>Which image of the conversation it is in, from 0 in the order of the parts.</summary>
    public int ImageIndex { get; init; }
}
