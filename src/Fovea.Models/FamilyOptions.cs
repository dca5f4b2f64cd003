namespace Fovea.Models;

/// <summary>
/// Options that a model family has beside everybody's. A family declares them in a record of its own folder: each settable property is a key of the
/// configuration, its name in snake case, and says what it affects.
/// </summary>
internal abstract record FamilyOptions
{
    /// <summary>Those of a family that has none.</summary>
    public static FamilyOptions None { get; } = new NoOptions();

    /// <summary>Whether a model of another family is refused where one of these keys was written; otherwise it is ignored there.</summary>
    public virtual bool RefusedElsewhere => false;

    /// <summary>What a user should know about the values given, in sentences.</summary>
    public virtual IEnumerable<string> Notices => [];

    private sealed record NoOptions : FamilyOptions;
}
