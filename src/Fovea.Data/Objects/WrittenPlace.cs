namespace Fovea.Data.Objects;

/// <summary>A place of a row, and how it is written.</summary>
/// <param name="Place">In pixels of the original image, within it, corners in order.</param>
/// <param name="Frame">The coordinates of its image.</param>
/// <param name="Numbers">In the model's coordinates.</param>
/// <param name="Message">The message that it stands in, from 0.</param>
internal sealed record WrittenPlace(ObjectPlace Place, ObjectFrame Frame, IReadOnlyList<long> Numbers, int Message);
