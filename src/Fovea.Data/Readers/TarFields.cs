using System.Buffers;
using System.Text;
using System.Text.Json;
using Fovea.Data.Datasets;

namespace Fovea.Data.Readers;

/// <summary>How the files of a WebDataset sample become the fields of a row.</summary>
/// <param name="columns">What a description calls the fields; null where rows have those that are known.</param>
internal sealed class TarFields(DatasetColumns? columns)
{
    private static readonly HashSet<string> Texts = ["json", "txt", "text", "caption", "cls"];
    private static readonly HashSet<string> Pictures = ["jpg", "jpeg", "png", "webp", "gif"];
    private static readonly HashSet<string> Videos = ["mp4", "avi", "mov", "mkv", "webm"];
    private static readonly HashSet<string> Audios = ["wav", "mp3", "flac", "ogg", "m4a"];

    private IReadOnlyList<string> ImageColumns => columns is null ? RowShape.ImageColumns : [columns.Images ?? "images"];

    internal static bool IsText(TarMember member) => Texts.Contains(member.Kind);

    /// <param name="texts">What the text files hold, by extension.</param>
    /// <param name="source">Where a picture is.</param>
    /// <exception cref="JsonException">The sample's JSON is none.</exception>
    internal Row Row(List<TarMember> members, Dictionary<string, string> texts, Func<TarMember, MediaSource> source)
    {
        var pictures = members.FindAll(member => Pictures.Contains(member.Kind));
        var media = new Dictionary<string, MediaSource>(StringComparer.Ordinal);
        foreach (var picture in pictures)
        {
            // A row's JSON may call it by its whole name, its file's name or its ending.
            foreach (var name in (string[])[picture.Name, Path.GetFileName(picture.Name), picture.Extension])
            {
                media.TryAdd(name, source(picture));
            }
        }

        using var json = texts.TryGetValue("json", out var text) ? Parse(members, text) : null;
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            var written = new HashSet<string>(StringComparer.Ordinal);
            foreach (var field in json?.RootElement.EnumerateObject() ?? default)
            {
                // An empty list of pictures leaves its place to those of the sample.
                if (!ImageColumns.Contains(field.Name) || !RowFields.IsEmpty(field.Value))
                {
                    written.Add(field.Name);
                    field.WriteTo(writer);
                }
            }

            WriteTexts(writer, texts, written, isAlone: json is null);
            if (!HasPictures(json))
            {
                WritePictures(writer, pictures, written);
            }

            WriteList(writer, columns?.Videos ?? "videos", members.FindAll(member => Videos.Contains(member.Kind)), written);
            WriteList(writer, columns?.Audios ?? "audios", members.FindAll(member => Audios.Contains(member.Kind)), written);
            foreach (var other in members.Where(IsOther).Where(member => written.Add(member.Extension)))
            {
                writer.WriteString(other.Extension, Path.GetFileName(other.Name));
            }

            writer.WriteEndObject();
        }

        return new Row(JsonText.Parse(buffer.WrittenMemory), media);
    }

    private static bool IsOther(TarMember member) =>
        !Texts.Contains(member.Kind) && !Pictures.Contains(member.Kind) && !Videos.Contains(member.Kind) && !Audios.Contains(member.Kind);

    private static JsonDocument Parse(List<TarMember> members, string text)
    {
        var name = members.Find(member => member.Extension == "json")!.Name;
        JsonDocument json;
        try
        {
            json = JsonText.Parse(Encoding.UTF8.GetBytes(text));
        }
        catch (JsonException e)
        {
            throw new JsonException($"{name}: {e.Message}");
        }

        if (json.RootElement.ValueKind == JsonValueKind.Object)
        {
            return json;
        }

        var kind = JsonText.Kind(json.RootElement);
        json.Dispose();
        throw new JsonException($"{name} is {kind}, not a JSON object");
    }

    /// <summary>Whether the JSON names the pictures itself.</summary>
    private bool HasPictures(JsonDocument? json) => json is not null
        && ImageColumns.Any(name => json.RootElement.TryGetProperty(name, out var value) && !RowFields.IsEmpty(value));

    /// <summary>A field a text, named by its ending. A text without JSON beside it is an answer, unless a description says otherwise.</summary>
    private void WriteTexts(Utf8JsonWriter writer, Dictionary<string, string> texts, HashSet<string> written, bool isAlone)
    {
        foreach (var (extension, text) in texts.Where(text => text.Key != "json"))
        {
            var name = columns is null && isAlone && extension is "txt" or "text" or "caption" ? "output" : extension;
            if (written.Add(name))
            {
                writer.WriteString(name, text);
            }
        }
    }

    /// <summary>One picture need not be marked in the text; of several the text says where each goes. A description may name one by its ending.</summary>
    private void WritePictures(Utf8JsonWriter writer, List<TarMember> pictures, HashSet<string> written)
    {
        var named = pictures.FindAll(picture => picture.Extension == columns?.Images);
        pictures = named.Count > 0 ? named : pictures;
        if (pictures.Count == 0)
        {
            return;
        }

        var field = columns is null ? pictures.Count == 1 ? "image" : "images" : columns.Images ?? "images";
        if (pictures.Count == 1 && field == "image" && written.Add(field))
        {
            writer.WriteString(field, pictures[0].Name);
            return;
        }

        WriteList(writer, field, pictures, written);
    }

    private static void WriteList(Utf8JsonWriter writer, string field, List<TarMember> members, HashSet<string> written)
    {
        if (members.Count == 0 || !written.Add(field))
        {
            return;
        }

        writer.WriteStartArray(field);
        members.ForEach(member => writer.WriteStringValue(member.Name));
        writer.WriteEndArray();
    }
}
