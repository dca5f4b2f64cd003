namespace Fovea.Generation.Constraints;

/// <summary>The calls that a text is inside of: where each goes on afterwards. Equal ones are the same object.</summary>
/// <param name="Id">Its number, in the order in which they were first needed.</param>
/// <param name="Return">The state behind the innermost call.</param>
/// <param name="Outer">The calls around it; null where there is none.</param>
internal sealed record CallStack(int Id, int Return, CallStack? Outer);
