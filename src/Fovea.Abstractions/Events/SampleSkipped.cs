namespace Fovea.Events;

/// <summary>A sample could not be used. Each one is counted and reported.</summary>
/// <param name="Dataset">Name of the dataset.</param>
/// <param name="Row">Row in its file, from 0.</param>
/// <param name="Reason">What is wrong, naming the file.</param>
/// <param name="Action">What was done about it: <c>left out</c>, <c>replaced</c> (by another sample), or in predictions <c>not answered</c>.</param>
public sealed record SampleSkipped(string Dataset, int Row, string Reason, string Action) : RunEvent;
