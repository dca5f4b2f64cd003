namespace Fovea.Training.Session;

/// <summary>What serves for one kind of work.</summary>
/// <param name="Name">The kind of work.</param>
/// <param name="InUse">What serves for it.</param>
/// <param name="Cost">What that costs where something faster could serve; null where this is the fast way.</param>
/// <param name="Remedy">What to do about it.</param>
internal sealed record KernelFact(string Name, string InUse, string? Cost = null, string? Remedy = null)
{
    /// <summary>The fallback in one sentence; null where there is none.</summary>
    public string? Warning => Cost is null ? null : $"{Name}: {InUse}: {Cost}; {Remedy}";
}
