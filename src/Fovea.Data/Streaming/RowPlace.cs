namespace Fovea.Data.Streaming;

/// <summary>Where a row of a stream lies.</summary>
/// <param name="Source">Its dataset, in the order of their naming.</param>
/// <param name="File">Its file among the dataset's.</param>
/// <param name="Group">Its group of rows, where the file has several.</param>
/// <param name="Start">What the file's scan finds it by: a byte, or a number.</param>
/// <param name="Length">Bytes; 0 where they are not counted.</param>
/// <param name="Row">Its number in the dataset, from 0.</param>
/// <param name="FileRow">Its number in the file, from 0.</param>
internal readonly record struct RowPlace(int Source, int File, int Group, long Start, int Length, long Row, long FileRow);
