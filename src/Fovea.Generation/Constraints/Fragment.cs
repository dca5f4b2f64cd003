namespace Fovea.Generation.Constraints;

/// <summary>A piece of an automaton: where it is entered and where it is left. Nothing leads into the one or out of the other yet.</summary>
internal readonly record struct Fragment(int Start, int End);
