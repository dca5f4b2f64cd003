using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Fovea.Data.Readers;

/// <summary>Reads a row of JSON where it stands in its file.</summary>
internal static class JsonRow
{
    /// <exception cref="JsonException">It is malformed, not UTF-8, or gives a key twice; names line and column of the file.</exception>
    internal static Row Read(SafeFileHandle handle, string path, (long Start, int Length) place, FileLines lines)
    {
        var bytes = RowBytes.Read(handle, path, place);
        try
        {
            return Parse(bytes, null);
        }
        catch (Exception e) when (e is JsonException or ConfigException)
        {
            // Lines are counted for what cannot be used alone: the same again, with its place.
            try
            {
                return Parse(bytes, lines.Of(place.Start));
            }
            catch (ConfigException placed)
            {
                throw new JsonException(placed.Message);
            }
        }
    }

    private static Row Parse(byte[] bytes, TextPlace? from) => new(JsonText.Parse(TextFile.Check(bytes, name: null, from), from: from));
}
