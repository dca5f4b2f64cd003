using System.Text.Json;

namespace Fovea.Tests.Unit.Data;

/// <summary>Token ids and labels as a reference wrote them.</summary>
internal sealed record GoldenSample(int[] Ids, int[] Labels, int[][] Grids)
{
    internal static GoldenSample[] Read(string path, string? property = null)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(path));
        var list = property is null ? json.RootElement : json.RootElement.GetProperty(property);
        return [.. list.EnumerateArray().Select(Read)];
    }

    /// <summary>Those of one entry of a list.</summary>
    internal static GoldenSample[] Read(string path, int entry, string property)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(path));
        return [.. json.RootElement[entry].GetProperty(property).EnumerateArray().Select(Read)];
    }

    private static GoldenSample Read(JsonElement row)
    {
        var grids = row.TryGetProperty("image_grid_thw", out var g) && g.ValueKind == JsonValueKind.Array ? g.EnumerateArray().Select(Numbers).ToArray() : [];
        return new GoldenSample(Numbers(row.GetProperty("input_ids")), Numbers(row.GetProperty("labels")), grids);
    }

    private static int[] Numbers(JsonElement list) =>
        list.GetArrayLength() > 0 && list[0].ValueKind == JsonValueKind.Array ? Numbers(list[0]) : [.. list.EnumerateArray().Select(n => n.GetInt32())];
}
