using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Fovea.Data.Readers;
using Fovea.Data.Streaming;

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

    [Theory]
    [InlineData("{\n \"data\": [\n  {\"messages\": [{\"role\": \"user\"}]}\n ]\n}", "is one object with a list of rows under 'data'")]
    [InlineData("{\"version\": 1, \"train\": [{\"instruction\": \"a\", \"output\": \"b\"}]}", "is one object with a list of rows under 'train'")]
    [InlineData("{\n \"messages\": [\n {\"role\": \"user\"}\n ]\n}", "is one row over several lines; put it into [ ]")]
    [InlineData("{\n \"instruction\": \"a\"\n}\n{\n \"instruction\": \"b\"\n}\n", "has rows of several lines that are no list")]
    [InlineData("{\n \"a\": {\"0\": \"b\"}\n}", "is one object over several lines, where a list of rows is needed")]
    [InlineData("[{\"a\": 1},\n{\"a\": 2},\n]", "is not valid JSON at line 3, column 1: a comma before ]")]
    [InlineData("\uFEFF[{\"a\": NaN}]", "is not valid JSON at line 1, column 8: NaN is no JSON number")]
    [InlineData("[{\"a\": 1}\n", "it ends in the middle")]
    [InlineData("[{\"a\": 1}]\n[{\"a\": 1}]\n", "something follows after its end")]
    [InlineData("// made by hand\n[{\"a\": 1}]", "is not valid JSON at line 1, column 1: a comment, which JSON does not have")]
    [InlineData("\uFEFF\n # made\n\n# by hand\n[{\"a\": 1}]", "is not valid JSON at line 2, column 2: a comment")]
    [InlineData("/* made\n * by hand */ [{\"a\": 1}]", "is not valid JSON at line 1, column 1: a comment")]
    [InlineData("/* rows: */\n{\"a\": 1}\n{\"a\": 2}\n", "is not valid JSON at line 1, column 1: a comment")]
    [InlineData("# nothing else", "is not valid JSON at line 1, column 1: a comment")]
    [InlineData("[\n// rows:\n{\"a\": 1}]", "is not valid JSON at line 2, column 1: a comment")]
    [InlineData("[{\"a\": 1}] // the end\n", "is not valid JSON at line 1, column 12: a comment")]
    public void JSON_of_another_shape_is_said_in_words(string text, string expected)
    {
        foreach (var name in new[] { "rows.json", "rows.jsonl" })
        {
            var path = folder.Write(name, Encoding.UTF8.GetBytes(text));
            var message = Assert.Throws<ConfigException>(() => JsonRowFile.Open(path)).Message;
            Assert.StartsWith($"data file {path} ", message);
            Assert.Contains(expected, message);
        }
    }

    [Theory]
    [InlineData("// rows:")]
    [InlineData("# rows:")]
    public void A_comment_before_rows_of_a_line_spoils_only_its_own(string comment)
    {
        using var file = JsonRowFile.Open(folder.Write("some.jsonl", $"{comment}\n{{\"a\":1}}\n{comment}\n{{\"a\":2}}\n"));
        Assert.Equal("{\"a\":1}", Raw(file, 1));
        Assert.Equal("{\"a\":2}", Raw(file, 3));
        foreach (var row in new[] { 0, 2 })
        {
            Assert.Contains("a comment, which JSON does not have", Assert.ThrowsAny<JsonException>(() => file.Read(row)).Message);
        }
    }

    [Theory]
    [InlineData("{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}")]
    [InlineData("{\"conversations\": [{\"from\": \"human\", \"value\": \"a\"}], \"images\": [{\"path\": \"a\"}]}")]
    [InlineData("{\"dialog\": [{\"speaker\": \"x\", \"text\": \"a\"}]}\n")]
    [InlineData("{\"a\": 1}\n{\"a\": 2}")]
    public void One_row_a_line_is_left_alone(string text)
    {
        using var file = JsonRowFile.Open(folder.Write("rows.json", text));
        Assert.Equal(text.Trim().Split('\n').Length, file.Count);
    }

    [Fact]
    public void A_row_that_is_not_UTF_8_spoils_only_itself_and_is_named_by_its_place()
    {
        foreach (var (before, between, after, place) in new[] { ("[", ",", "]", "line 1, byte 16"), ("", "\n", "\n", "line 2, byte 7") })
        {
            string[] rows = ["{\"a\":1}", "{\"a\":\"\xE9\"}", "{\"a\":\"\\ud83d\"}", "{\"a\":1,\"a\":2}"];
            var bytes = Encoding.Latin1.GetBytes($"{before}{string.Join(between, rows)}{after}");
            using var file = JsonRowFile.Open(folder.Write("rows.json", bytes));
            Assert.Equal(4, file.Count);
            Assert.Equal("{\"a\":1}", Raw(file, 0));
            Assert.StartsWith($"{place}: 0xE9 is not UTF-8", Assert.Throws<JsonException>(() => file.Read(1)).Message);
            Assert.Contains("a holds half a surrogate pair, \\ud83d", Assert.Throws<JsonException>(() => file.Read(2)).Message);
            Assert.Contains("gives a twice", Assert.Throws<JsonException>(() => file.Read(3)).Message);
        }
    }

    [Theory]
    [InlineData("{\"a\":1}\n{'a':2}\n", 1, "line 2, column 2 is not valid JSON: a single quote")]
    [InlineData("\uFEFF{'a':2}\n", 0, "line 1, column 2 is not valid JSON: a single quote")]
    [InlineData("\uFEFF\n\n  {\"a\":1}\r\n\r\n {\"a\":2, \"a\":3}", 1, "line 5, column 10 gives a twice")]
    [InlineData("[\n {\"a\":1},\n {\"b\":\n  {\"c\": 1,\n   \"c\": 2}}\n]", 1, "line 5, column 4 gives b.c twice")]
    [InlineData("[{\"a\":1}, {\"a\":\"\\ud83d\"}]", 1, "line 1, column 17, a holds half a surrogate pair")]
    public void What_is_wrong_with_a_row_is_at_the_file_s_own_line_and_column(string text, int row, string expected)
    {
        foreach (var lead in new[] { 0, 70_000, 200_000 })
        {
            // Rows before it that fill more than a block of what is counted at once, on lines of their own.
            var wide = $"{{\"x\":\"{new string('x', lead)}\"}}";
            var mark = text.StartsWith('\uFEFF') ? "\uFEFF" : string.Empty;
            var isArray = text.StartsWith('[');
            var whole = lead == 0 ? text : isArray ? $"[{wide},\n{wide},\n{text[1..]}" : $"{mark}{wide}\n{wide}\n{text[mark.Length..]}";
            var path = folder.Write("rows.jsonl", Encoding.UTF8.GetBytes(whole));
            var index = lead == 0 ? row : row + 2;
            var shifted = lead == 0 ? expected : Regex.Replace(expected, @"line (\d+), column (\d+)", found => int.Parse(found.Groups[1].Value) is var line
                && isArray && line == 1 ? $"line 3, column {int.Parse(found.Groups[2].Value) - 1}" : $"line {line + 2}, column {found.Groups[2].Value}");
            using var file = JsonRowFile.Open(path);
            Assert.StartsWith(shifted, Assert.ThrowsAny<JsonException>(() => file.Read(index)).Message);

            using var scan = new JsonScan(path);
            var (at, start, length) = (0L, 0L, 0);
            for (var i = 0; i <= index; i++)
            {
                Assert.True(scan.Next(ref at, out start, out length));
            }

            Assert.StartsWith(shifted, Assert.ThrowsAny<JsonException>(() => scan.Read(start, length)).Message);
        }
    }

    [Fact]
    public void Other_encodings_are_refused_with_what_to_do()
    {
        var path = folder.Write("rows.json", Encoding.Unicode.GetBytes("[{\"a\": 1}]"));
        Assert.Contains("is UTF-16; save it as UTF-8", Assert.Throws<ConfigException>(() => JsonRowFile.Open(path)).Message);
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
