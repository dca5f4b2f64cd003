namespace Fovea;

/// <summary>What a <see cref="Constraint"/> is made of.</summary>
public enum ConstraintKind
{
    /// <summary>A regular expression.</summary>
    Regex,

    /// <summary>A JSON schema.</summary>
    JsonSchema,

    /// <summary>Any JSON object.</summary>
    JsonObject,
}
