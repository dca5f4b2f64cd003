namespace Fovea.Data.Streaming;

/// <summary>Where a dataset is read on.</summary>
/// <param name="At">The place in the file's scan.</param>
/// <param name="Row">Rows of the dataset before it.</param>
/// <param name="FileRow">Rows of the file before it.</param>
internal readonly record struct CursorState(int File, int Group, long At, long Row, long FileRow);
