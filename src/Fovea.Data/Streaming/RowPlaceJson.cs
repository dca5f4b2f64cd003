using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fovea.Data.Streaming;

/// <summary>Writes a place as a list of its numbers: a buffer holds many.</summary>
internal sealed class RowPlaceJson : JsonConverter<RowPlace>
{
    public override RowPlace Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        JsonSerializer.Deserialize<long[]>(ref reader) is [var source, var file, var group, var start, var length, var row, var fileRow]
            ? new RowPlace(checked((int)source), checked((int)file), checked((int)group), start, checked((int)length), row, fileRow)
            : throw new JsonException("a place of a row is not seven numbers");

    public override void Write(Utf8JsonWriter writer, RowPlace value, JsonSerializerOptions options) => JsonSerializer.Serialize<long[]>(
        writer, [value.Source, value.File, value.Group, value.Start, value.Length, value.Row, value.FileRow]);
}
