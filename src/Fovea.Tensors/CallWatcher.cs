namespace Fovea.Tensors;

/// <summary>Sees the calls of operators.</summary>
public delegate void CallWatcher(Operator op, ReadOnlySpan<Arg> args);
