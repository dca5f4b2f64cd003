using System.Text.Json;

namespace Fovea.Data.Readers;

/// <summary>One row as its file has it: a JSON value, and the pictures that lie beside it in the file.</summary>
/// <param name="json">Belongs to the row.</param>
/// <param name="media">By each name under which the row may speak of them; null where a file has none.</param>
internal sealed class Row(JsonDocument json, IReadOnlyDictionary<string, MediaSource>? media = null) : IDisposable
{
    public JsonElement RootElement => json.RootElement;

    /// <summary>The picture of that name beside the row; null where there is none.</summary>
    public MediaSource? Find(string name) => media?.GetValueOrDefault(name);

    public void Dispose() => json.Dispose();
}
