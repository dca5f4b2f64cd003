namespace Fovea.Evaluation.Objects;

/// <summary>A box or point to be drawn on an image.</summary>
/// <param name="Image">Which image of the conversation, from 0.</param>
/// <param name="IsExpected">It is the row's; otherwise the answer's.</param>
/// <param name="Shares">Left, top, right and lower side, or x and y, as shares of the image.</param>
/// <param name="Title">What is said of it.</param>
internal sealed record ObjectMark(int Image, bool IsExpected, IReadOnlyList<double> Shares, string Title);
