using System.Text;
using System.Text.Json;
using Fovea.Data.Datasets;

namespace Fovea.Tests.Unit.Data;

public sealed class JsonRowFileTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("[{\"a\": 1}, [2], 3, \"x\",\n null ,{\"b\":[{}]}]", new[] { "{\"a\": 1}", "[2]", "3", "\"x\"", "null", "{\"b\":[{}]}" })]
    [InlineData("\uFEFF [ ]", new string[0])]
    [InlineData("\uFEFF[{\"a\":\"é\"}]", new[] { "{\"a\":\"é\"}" })]
    [InlineData("{\"a\":1}\r\n\n  \n{\"b\":2}", new[] { "{\"a\":1}", "{\"b\":2}" })]
    [InlineData("", new string[0])]
    public void Rows_of_arrays_and_of_lines_are_found(string text, string[] expected)
    {
        using var file = JsonRowFile.Open(folder.Write("rows.json", Encoding.UTF8.GetBytes(text)));
        Assert.Equal(expected, Enumerable.Range(0, file.Count).Select(i => Raw(file, i)));
    }

    [Fact]
    public void Rows_larger_than_any_buffer_are_found_and_read_in_any_order()
    {
        var rows = Enumerable.Range(0, 40).Select(i => $"{{\"i\":{i},\"text\":\"{new string((char)('a' + (i % 26)), i * 40_000)}\"}}").ToArray();
        using var file = JsonRowFile.Open(folder.Write("large.json", "[" + string.Join(",\n", rows) + "]"));
        Assert.Equal(rows.Length, file.Count);
        for (var i = rows.Length - 1; i >= 0; i--)
        {
            using var row = file.Read(i);
            Assert.Equal(i, row.RootElement.GetProperty("i").GetInt32());
            Assert.Equal(i * 40_000, row.RootElement.GetProperty("text").GetString()!.Length);
        }
    }

    [Theory]
    [InlineData("[{\"a\":1},\n{\"b\" 2}]", "line 2, column 6")]
    [InlineData("[{\"a\":1}", "line 1")]
    [InlineData("[1] 2", "line 1")]
    public void Malformed_arrays_are_refused_with_the_place(string text, string place)
    {
        var path = folder.Write("broken.json", text);
        var error = Assert.Throws<ConfigException>(() => JsonRowFile.Open(path));
        Assert.Contains(path, error.Message);
        Assert.Contains(place, error.Message);
    }

    [Fact]
    public void A_malformed_line_spoils_only_itself()
    {
        using var file = JsonRowFile.Open(folder.Write("some.jsonl", "{\"a\":1}\n{\"a\":\n{\"a\":3}\n"));
        Assert.Equal("{\"a\":1}", Raw(file, 0));
        Assert.ThrowsAny<JsonException>(() => file.Read(1));
        Assert.Equal("{\"a\":3}", Raw(file, 2));
    }

    [Fact]
    public void A_missing_file_is_named()
    {
        var error = Assert.Throws<ConfigException>(() => JsonRowFile.Open(Path.Combine(folder.Root, "none.json")));
        Assert.Contains("none.json", error.Message);
    }

    private static string Raw(JsonRowFile file, int index)
    {
        using var row = file.Read(index);
        return row.RootElement.GetRawText();
    }
}
