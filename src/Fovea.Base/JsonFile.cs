using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fovea;

/// <summary>
/// The one way to read a user's JSON: as <see cref="TextFile"/> reads text, and strictly (no comments, no trailing commas, no NaN, every key once, no
/// half surrogate pairs). What is wrong is a <see cref="ConfigException"/> with file, line and column, and where there is one, the key.
/// </summary>
internal static class JsonFile
{
    /// <param name="hint">What the file is for and how to name another, where it cannot be opened.</param>
    /// <exception cref="ConfigException">The file cannot be opened or is not JSON.</exception>
    public static JsonDocument Read(string path, string? hint = null, bool lenient = false) => Parse(TextFile.ReadBytes(path, hint), path, lenient);

    /// <summary>A file that holds one object.</summary>
    /// <exception cref="ConfigException">The file cannot be opened, is not JSON, or its value is no object.</exception>
    public static JsonDocument ReadObject(string path, string? hint = null, bool lenient = false)
    {
        var document = Read(path, hint, lenient);
        if (document.RootElement.ValueKind == JsonValueKind.Object)
        {
            return document;
        }

        using (document)
        {
            throw new ConfigException($"{path}: one JSON object ({{...}}) is expected, not {JsonText.Kind(document.RootElement)}");
        }
    }

    /// <summary>A file that holds one object, to be changed and written again: keys keep their order.</summary>
    /// <exception cref="ConfigException">The file cannot be opened, is not JSON, or its value is no object.</exception>
    public static JsonObject ReadNodes(string path, string? hint = null)
    {
        using var document = ReadObject(path, hint);
        return JsonObject.Create(document.RootElement.Clone())!;
    }

    /// <param name="utf8">Checked text.</param>
    /// <param name="name">How messages call it.</param>
    /// <param name="lenient">Comments and trailing commas are read over.</param>
    /// <exception cref="ConfigException">It is not JSON.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> utf8, string name, bool lenient = false)
    {
        try
        {
            return JsonText.Parse(utf8, lenient);
        }
        catch (JsonException e)
        {
            throw new ConfigException($"{name} {e.Message}");
        }
    }
}
