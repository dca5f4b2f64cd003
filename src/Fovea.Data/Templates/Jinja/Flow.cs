namespace Fovea.Data.Templates.Jinja;

/// <summary>How a statement ends.</summary>
internal enum Flow
{
    /// <summary>The next one follows.</summary>
    Goes,

    /// <summary>The loop around it ends.</summary>
    Breaks,

    /// <summary>The loop around it goes on with its next item.</summary>
    Continues,
}
