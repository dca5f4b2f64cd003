namespace Fovea.Models.MiniCpmV46;

/// <summary>How many patches become a token of the language model: sixteen, or four where windows are not merged inside the tower.</summary>
internal static class Downsampling
{
    public const string Field = "downsample_mode";
    private const string Most = "16x";
    private const string Less = "4x";

    /// <summary>Patches a side that become one token.</summary>
    public static int Side(bool keepsWindows) => keepsWindows ? 2 : 4;

    /// <summary>What a configuration or a file says; true for the one that keeps windows.</summary>
    public static bool Keeps(ConfigReader json) => json.Text(Field, Most) switch
    {
        Most => false,
        Less => true,
        _ => throw json.Wrong(Field, $"\"{Most}\" or \"{Less}\""),
    };

    /// <param name="key">The key of a run's configuration; null for what the model's files say.</param>
    /// <param name="files">What they say.</param>
    public static bool Keeps(string? key, bool files) => key switch
    {
        null => files,
        Most => false,
        Less => true,
        _ => throw new ConfigException($"{Field}: '{key}' is not known; it must be {Most} or {Less}"),
    };
}
