using System.Text.Json;

namespace Fovea.Board.Runs;

/// <summary>Lines of JSON objects, as logs and states hold them.</summary>
internal static class LogLines
{
    /// <summary>The objects; lines that are none, as the half of one that is being written, are passed over.</summary>
    public static IEnumerable<Dictionary<string, object?>> Of(string text) =>
        text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Object).OfType<Dictionary<string, object?>>();

    /// <summary>One object; null where the text is none.</summary>
    public static Dictionary<string, object?>? Object(string text)
    {
        try
        {
            return PythonJson.ReadObject(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public static double? Number(this IReadOnlyDictionary<string, object?> line, string key) => line.GetValueOrDefault(key) switch
    {
        long whole => whole,
        double real => real,
        _ => null,
    };
}
