using System.Text.Json;
using static Fovea.Data.Datasets.RowFields;

namespace Fovea.Data.Datasets;

/// <summary>How a row is to be read: its format and which of its fields holds what.</summary>
public sealed record RowShape(RowFormat Format, DatasetColumns Columns, DatasetTags Tags)
{
    internal const string Needs = "messages, conversations, or instruction and output";

    private static readonly string[] ImageColumns = ["images", "image", "image_bytes"];

    /// <summary>All fields that rows without a description may have.</summary>
    internal static IReadOnlyList<string> Known { get; } =
        ["messages", "conversations", "instruction", "input", "output", "history", "system", "tools", .. ImageColumns, "videos", "audios"];

    /// <summary>
    /// The shape of a row that no <c>dataset_info.json</c> describes, by its own fields: no row decides for another. Null where it is none that is known.
    /// </summary>
    internal static RowShape? Of(JsonElement row)
    {
        var common = new DatasetColumns
        {
            System = "system",
            Tools = "tools",
            Images = Array.Find(ImageColumns, name => Holds(row, name)) ?? ImageColumns[0],
            Videos = "videos",
            Audios = "audios",
        };
        if (First(row, "messages", "conversations") is { } messages)
        {
            var list = row.GetProperty(messages);
            var openAi = list.ValueKind == JsonValueKind.Array && list.EnumerateArray().Any(message =>
                message.ValueKind == JsonValueKind.Object && message.TryGetProperty(DatasetTags.OpenAi.Role, out _));
            return new RowShape(RowFormat.ShareGpt, common with { Messages = messages }, openAi ? DatasetTags.OpenAi : new DatasetTags());
        }

        return First(row, "instruction", "output") is null ? null : new RowShape(
            RowFormat.Alpaca,
            common with { Prompt = "instruction", Query = "input", Response = "output", History = "history" },
            new DatasetTags());
    }

    // Tables of several formats in one leave the fields of the others null.
    private static string? First(JsonElement row, params string[] names) =>
        Array.Find(names, name => Holds(row, name)) ?? Array.Find(names, name => row.TryGetProperty(name, out _));

    private static bool Holds(JsonElement row, string name) => row.TryGetProperty(name, out var value) && !IsEmpty(value);
}
