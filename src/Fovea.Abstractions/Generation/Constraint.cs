namespace Fovea;

/// <summary>
/// The form that an answer's text must have: tokens that would break it are never chosen, and the answer can end only where the text is complete.
/// An answer that reaches its limit of tokens first is cut off and need not have the form. An expression or schema of more than 262,144 characters, or one that
/// repeats so much that a million states are not enough for it, is refused.
/// </summary>
public sealed record Constraint
{
    private Constraint(ConstraintKind kind, string text) => (Kind, Text) = (kind, text);

    /// <summary>
    /// A JSON object with whatever it may hold. One space or none follows each <c>:</c> and <c>,</c>; there is no other whitespace outside of texts.
    /// </summary>
    public static Constraint JsonObject { get; } = new(ConstraintKind.JsonObject, string.Empty);

    /// <summary>How <see cref="Text"/> is read.</summary>
    public ConstraintKind Kind { get; }

    /// <summary>The expression or the schema; empty for <see cref="JsonObject"/>.</summary>
    public string Text { get; }

    /// <summary>
    /// The whole answer matches a regular expression: alternatives, groups, classes, quantifiers and escapes. <c>\d</c>, <c>\w</c> and <c>\s</c> are ASCII,
    /// <c>.</c> is any character but a line feed. Lookaround and references to groups are refused when the constraint is first used.
    /// </summary>
    /// <param name="pattern">The expression; anchors at its ends change nothing.</param>
    public static Constraint Regex(string pattern)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        return new(ConstraintKind.Regex, pattern);
    }

    /// <summary>
    /// The answer is JSON that a schema (draft 2020-12) accepts. Properties come in the order of the schema and optional ones may be left out; others, where
    /// <c>additionalProperties</c> allows them, follow. One space or none follows each <c>:</c> and <c>,</c>; there is no other whitespace outside of texts.
    /// Keywords that cannot be held token by token are refused, with their place, when the constraint is first used.
    /// </summary>
    /// <param name="schema">The schema, as JSON.</param>
    public static Constraint JsonSchema(string schema)
    {
        ArgumentNullException.ThrowIfNull(schema);
        return new(ConstraintKind.JsonSchema, schema);
    }
}
