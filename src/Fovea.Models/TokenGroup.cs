namespace Fovea.Models;

/// <summary>Consecutive tokens over which a <see cref="SideLosses"/> mean is taken, and what that mean weighs in the step.</summary>
internal readonly record struct TokenGroup(int Start, int End, double Weight);
