using Fovea.Data.Images;

namespace Fovea.Data.Datasets;

/// <summary>
/// One row in the common form. <paramref name="Row"/> counts from 1; <paramref name="Images"/> are existing files, or bytes of the row, in the order of
/// their placeholders; <paramref name="System"/> is null where the row brings none.
/// </summary>
public sealed record Conversation(string Dataset, int Row, string? System, IReadOnlyList<Turn> Turns, IReadOnlyList<MediaSource> Images)
{
    /// <summary>The text that stands for one image.</summary>
    public const string ImagePlaceholder = "<image>";
}
