using System.Text.Json;

namespace Fovea.Data.Datasets;

/// <summary>How to read a file that no <c>dataset_info.json</c> describes: by the field names of its first row.</summary>
internal static class RowFormatGuess
{
    internal static DatasetSpec Guess(string name, IReadOnlyList<string> files)
    {
        using var rows = JsonRowFile.Open(files[0]);
        if (rows.Count == 0)
        {
            throw new ConfigException($"data set '{name}': {files[0]} has no rows");
        }

        try
        {
            using var first = rows.Read(0);
            return Guess(name, files, first.RootElement);
        }
        catch (JsonException e)
        {
            throw new ConfigException($"data set '{name}': the first row of {files[0]} is no row: {e.Message}");
        }
    }

    private static DatasetSpec Guess(string name, IReadOnlyList<string> files, JsonElement row)
    {
        if (row.ValueKind == JsonValueKind.Object)
        {
            var common = new DatasetColumns
            {
                System = Has(row, "system"),
                Tools = Has(row, "tools"),
                Images = Has(row, "images") ?? Has(row, "image"),
                Videos = Has(row, "videos"),
                Audios = Has(row, "audios"),
            };
            if ((Has(row, "messages") ?? Has(row, "conversations")) is { } messages)
            {
                var list = row.GetProperty(messages);
                var openAi = list.ValueKind == JsonValueKind.Array && list.GetArrayLength() > 0 && list[0].ValueKind == JsonValueKind.Object &&
                    list[0].TryGetProperty("role", out _);
                return new DatasetSpec(name, files, RowFormat.ShareGpt, common with { Messages = messages }, openAi ? DatasetTags.OpenAi : new DatasetTags());
            }

            if (Has(row, "instruction") is { } prompt && Has(row, "output") is { } response)
            {
                var columns = common with { Prompt = prompt, Query = Has(row, "input"), Response = response, History = Has(row, "history") };
                return new DatasetSpec(name, files, RowFormat.Alpaca, columns, new DatasetTags());
            }
        }

        throw new ConfigException(
            $"data set '{name}': the rows of {files[0]} are not recognised; they need messages, conversations, or instruction and output; " +
            $"describe other field names in {DatasetCatalog.InfoFile}");
    }

    private static string? Has(JsonElement row, string key) => row.TryGetProperty(key, out _) ? key : null;
}
