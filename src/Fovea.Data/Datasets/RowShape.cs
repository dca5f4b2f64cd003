using System.Text.Json;
using Fovea.Data.Formats;
using Fovea.Data.Objects;
using static Fovea.Data.Datasets.RowFields;

namespace Fovea.Data.Datasets;

/// <summary>How a row is to be read: its format and which of its fields holds what.</summary>
internal sealed record RowShape(IRowFormat Format, DatasetColumns Columns, DatasetTags Tags)
{
    /// <summary>What coordinates of objects count where a row does not say it.</summary>
    public CoordinateUnit Unit { get; init; }

    internal const string Needs = "messages, conversations, or instruction and output";

    internal static IReadOnlyList<string> ImageColumns { get; } = ["images", "image", "image_bytes"];

    /// <summary>All fields that rows without a description may have.</summary>
    internal static IReadOnlyList<string> Known { get; } =
        ["messages", "conversations", "instruction", "input", "output", "history", "system", "tools", .. ImageColumns, "videos", "audios", "objects"];

    /// <summary>
    /// The shape of a row that no <c>dataset_info.json</c> describes, by its own fields: no row decides for another. Null where it is none that is known.
    /// </summary>
    internal static RowShape? Of(JsonElement row)
    {
        var common = new DatasetColumns
        {
            System = "system",
            Tools = "tools",
            Images = ImageColumns.FirstOrDefault(name => Holds(row, name)) ?? ImageColumns[0],
            Videos = "videos",
            Audios = "audios",
            Objects = row.TryGetProperty("objects", out var objects) && RowObjects.IsLike(objects) ? "objects" : null,
        };
        foreach (var format in RowFormats.All)
        {
            if (format.Recognise(row, common) is { } shape)
            {
                return shape;
            }
        }

        return null;
    }

    /// <summary>
    /// The first of the fields that holds something, else the first that is there: tables of several formats in one leave the fields of the others null.
    /// </summary>
    internal static string? First(JsonElement row, params string[] names) =>
        Array.Find(names, name => Holds(row, name)) ?? Array.Find(names, name => row.TryGetProperty(name, out _));

    internal static bool Holds(JsonElement row, string name) => row.TryGetProperty(name, out var value) && !IsEmpty(value);
}
