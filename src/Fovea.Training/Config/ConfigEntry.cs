namespace Fovea.Training.Config;

/// <summary>One key of a configuration, its value and where it was written.</summary>
internal sealed record ConfigEntry(string Key, ConfigNode Value, string Place)
{
    /// <summary>A problem with this key, in the form in which all are reported.</summary>
    public string Problem(string what) => $"{Place}: {Key}: {what}";
}
