using System.Text;

namespace Fovea.Training.Config;

/// <summary>Reads DeepSpeed's configuration as DeepSpeed does: strict JSON, without comments, every key once.</summary>
internal static class DeepSpeedFile
{
    /// <param name="source">A path, or the JSON itself.</param>
    /// <exception cref="FormatException">It cannot be read; says why, and where.</exception>
    public static ConfigNode.Map Read(string source)
    {
        try
        {
            using var json = IsInline(source) ? JsonFile.Parse(Encoding.UTF8.GetBytes(source), Name(source)) : JsonFile.Read(source);
            return ConfigFile.Convert(json.RootElement) as ConfigNode.Map ?? throw new FormatException($"{Name(source)} is not one JSON object");
        }
        catch (ConfigException e)
        {
            throw new FormatException(e.Message);
        }
    }

    /// <summary>How messages call it.</summary>
    public static string Name(string source) => IsInline(source) ? "the mapping" : Path.GetFileName(source);

    private static bool IsInline(string source) => source.StartsWith('{');
}
