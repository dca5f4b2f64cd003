namespace Fovea.Tensors;

/// <summary>Sees the calls of operators.</summary>
internal delegate void CallWatcher(Operator op, ReadOnlySpan<Arg> args);
