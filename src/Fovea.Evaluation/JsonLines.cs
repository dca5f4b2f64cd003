using System.Text.Json;
using Fovea.Data.Readers;

namespace Fovea.Evaluation;

/// <summary>Rows of JSON lines or of a JSON list, each with its place for messages.</summary>
internal static class JsonLines
{
    /// <param name="hint">What the file is, for messages.</param>
    /// <exception cref="ConfigException">The file cannot be read, or a row is malformed.</exception>
    public static IEnumerable<(string Place, JsonElement Row)> Read(string path, string hint)
    {
        if (!File.Exists(path))
        {
            throw new ConfigException($"{path} {TextFile.WhyNot(path, new FileNotFoundException())}; {hint}");
        }

        using var rows = JsonRowFile.Open(path);
        for (var i = 0; i < rows.Count; i++)
        {
            var place = $"{path}, {((IRowReader)rows).PlaceOf(i) ?? $"row {i + 1}"}";
            JsonElement value;
            try
            {
                using var row = rows.Read(i);
                value = row.RootElement.Clone();
            }
            catch (JsonException e)
            {
                throw new ConfigException($"{place} {e.Message}");
            }

            yield return (place, value);
        }
    }
}
