using System.Text.Encodings.Web;
using System.Text.Json;

namespace Fovea.Data.Objects;

/// <summary>
/// Names and places as JSON objects. Places that follow a name get it as their label; a message of nothing else becomes a list in a code fence, as Qwen2.5-VL
/// answers.
/// </summary>
internal static class ObjectJson
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="numbers">Gives the numbers of the next place.</param>
    public static IReadOnlyList<Part> Write(Message message, Func<ObjectPlace, IReadOnlyList<long>> numbers)
    {
        var parts = message.Parts;
        var isList = message.Role == Role.Assistant && parts.Any(part => part is ObjectPlace)
            && parts.All(part => part is ObjectName or ObjectPlace || IsBlank(part));
        var written = new List<Part>();
        var objects = new List<string>();
        for (var i = 0; i < parts.Count; i++)
        {
            if (parts[i] is ObjectName name && Next(parts, i) is not ObjectPlace)
            {
                written.Add(new Text(name.Value));
            }
            else if (parts[i] is ObjectName or ObjectPlace)
            {
                i = Take(parts, i, numbers, objects);
                if (!isList)
                {
                    written.Add(new Text(string.Join(", ", objects)));
                    objects.Clear();
                }
            }
            else if (!isList)
            {
                written.Add(parts[i]);
            }
        }

        return isList ? [new Text($"```json\n[\n\t{string.Join(",\n\t", objects)}\n]\n```")] : written;
    }

    /// <summary>A name with the places behind it, or places without a name.</summary>
    /// <returns>The last part that was taken.</returns>
    private static int Take(IReadOnlyList<Part> parts, int first, Func<ObjectPlace, IReadOnlyList<long>> numbers, List<string> objects)
    {
        var label = parts[first] is ObjectName name ? $", \"label\": {JsonSerializer.Serialize(name.Value, Plain)}" : string.Empty;
        var last = first;
        for (var i = parts[first] is ObjectName ? first + 1 : first; i < parts.Count; i++)
        {
            if (parts[i] is not ObjectPlace && !(IsBlank(parts[i]) && Next(parts, i) is ObjectPlace))
            {
                break;
            }

            if (parts[i] is ObjectPlace place)
            {
                var list = ObjectForm.List([.. numbers(place)]);
                objects.Add($"{{\"{(place is ObjectPoint ? "point_2d" : "bbox_2d")}\": {list}{label}}}");
            }

            last = i;
        }

        return last;
    }

    private static Part? Next(IReadOnlyList<Part> parts, int i) => parts.Skip(i + 1).FirstOrDefault(part => !IsBlank(part));

    private static bool IsBlank(Part part) => part is Text text && string.IsNullOrWhiteSpace(text.Value);
}
