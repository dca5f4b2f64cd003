namespace Fovea.Tensors;

/// <summary>An operator of libtorch that this device or build refused, or one of ours that has no kernel there, so that a slower way is taken.</summary>
/// <param name="Kernel">For instance <c>flash attention</c>.</param>
/// <param name="Case">Element type and size of heads.</param>
/// <param name="Times">How often the slower way was taken so far.</param>
/// <param name="Why">The operator's own words.</param>
internal sealed record KernelRefusal(string Kernel, string Case, long Times, string Why);
