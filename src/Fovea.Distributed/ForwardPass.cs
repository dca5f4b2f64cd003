namespace Fovea.Distributed;

/// <summary>One forward pass, and the backward pass behind it: what all ranks do at the same time, each with its own micro-batch or with none.</summary>
/// <param name="Images">Whether the vision side runs on any rank.</param>
/// <param name="Learns">Whether a backward pass follows.</param>
/// <param name="Last">Whether it is the last of an optimizer step.</param>
internal sealed record ForwardPass(bool Images, bool Learns, bool Last);
