using System.Text;
using System.Text.Json;

namespace Fovea.Data.Tables;

/// <summary>Writes the rows of a table as JSON lines, and bytes in them as files.</summary>
/// <param name="working">The folder to write into.</param>
/// <param name="folder">The folder as it will be called once it is whole.</param>
internal sealed class TableUnpacking(ITable table, string working, string folder)
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);
    private int row;
    private int images;

    /// <param name="reads">Columns that rows may have; of the others the first row alone shows that they are there.</param>
    /// <param name="group">One group of rows alone; null is all.</param>
    public void Write(Predicate<string> reads, int? group = null)
    {
        using var rows = new FileStream(Path.Combine(working, "rows.jsonl"), FileMode.Create);
        var names = table.Names.Where(name => reads(name)).Distinct().ToList();
        row = 0;
        foreach (var values in table.ReadRows(names, group))
        {
            images = 0;
            using (var json = new Utf8JsonWriter(rows))
            {
                json.WriteStartObject();
                for (var i = 0; i < values.Length; i++)
                {
                    json.WritePropertyName(names[i]);
                    Write(json, names[i], values[i]);
                }

                foreach (var name in row == 0 ? table.Names.Where(name => !reads(name)) : [])
                {
                    json.WriteStartObject(name);
                    json.WriteEndObject();
                }

                json.WriteEndObject();
            }

            rows.WriteByte((byte)'\n');
            row++;
        }
    }

    private void Write(Utf8JsonWriter json, string name, object? value)
    {
        switch (value)
        {
            case bool truth:
                json.WriteBooleanValue(truth);
                break;
            case long number:
                json.WriteNumberValue(number);
                break;
            case double number when double.IsFinite(number):
                json.WriteNumberValue(number);
                break;
            case string text when name is "conversations" or "messages":
                WriteMessages(json, text);
                break;
            case string text:
                json.WriteStringValue(text);
                break;
            case byte[] bytes:
                WriteBytes(json, name, bytes);
                break;
            case List<object?> items:
                json.WriteStartArray();
                items.ForEach(item => Write(json, name, item));
                json.WriteEndArray();
                break;
            case List<KeyValuePair<string, object?>> fields:
                WriteFields(json, fields);
                break;
            default:
                json.WriteNullValue();
                break;
        }
    }

    /// <summary>Bytes of an image and its name: the file that holds the bytes takes the name's place.</summary>
    private void WriteFields(Utf8JsonWriter json, List<KeyValuePair<string, object?>> fields)
    {
        if (fields.Find(field => field.Key == "bytes").Value is byte[] bytes)
        {
            json.WriteStringValue(Save(bytes));
            return;
        }

        json.WriteStartObject();
        foreach (var (key, field) in fields)
        {
            json.WritePropertyName(key);
            Write(json, key, field);
        }

        json.WriteEndObject();
    }

    /// <summary>Messages may be JSON as text; what is no JSON goes in as text, so that reading the row says what is wrong with it.</summary>
    private static void WriteMessages(Utf8JsonWriter json, string text)
    {
        try
        {
            using var document = JsonText.Parse(Encoding.UTF8.GetBytes(text));
            document.RootElement.WriteTo(json);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            json.WriteStringValue(text);
        }
    }

    /// <summary>Some writers do not mark text as such.</summary>
    private void WriteBytes(Utf8JsonWriter json, string name, byte[] bytes)
    {
        if (Datasets.ImageNames.IsLike(name) || !IsText(bytes, out var text))
        {
            json.WriteStringValue(Save(bytes));
        }
        else
        {
            Write(json, name, text);
        }
    }

    private static bool IsText(byte[] bytes, out string text)
    {
        try
        {
            text = Strict.GetString(bytes);
            return true;
        }
        catch (DecoderFallbackException)
        {
            text = string.Empty;
            return false;
        }
    }

    private string Save(byte[] bytes)
    {
        // A thousand rows a folder: a file system's listing stays short.
        var name = Path.Combine("images", $"{row / 1000:0000}", $"{row}-{images++}.{Ending(bytes)}");
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(working, name))!);
#pragma warning disable RS0030 // The folder gets its name when it is complete.
        File.WriteAllBytes(Path.Combine(working, name), bytes);
#pragma warning restore RS0030
        return Path.Combine(folder, name);
    }

    private static string Ending(byte[] image) => image switch
    {
        [0xFF, 0xD8, ..] => "jpg",
        [0x89, 0x50, ..] => "png",
        [0x52, 0x49, 0x46, 0x46, ..] => "webp",
        _ => "image",
    };
}
