namespace Fovea.Keys;

/// <summary>Says what a key changes. From it follows what a resumed run compares with its checkpoint; every key has one.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AffectsAttribute(Effect effect) : Attribute
{
    public Effect Effect { get; } = effect;

    /// <summary>
    /// The property of the run's progress that holds what the key comes to, where that is compared instead of what is written: the template that the model's
    /// family brings along, the samples that are left, the product of several keys.
    /// </summary>
    public string? As { get; init; }
}
