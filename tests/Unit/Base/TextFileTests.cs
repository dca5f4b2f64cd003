using System.Text;
using System.Text.Json;

namespace Fovea.Tests.Unit.Base;

/// <summary>One reader for every text of a user's: what it takes, and what it says about the rest.</summary>
public sealed class TextFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-text-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    public static TheoryData<string, bool> Encodings => new(
        from name in new[] { "utf-16", "utf-16BE", "utf-32", "utf-32BE" } from mark in new[] { true, false } select (name, mark));

    [Fact]
    public void A_byte_order_mark_of_UTF_8_is_no_part_of_the_text()
    {
        var path = Write([0xEF, 0xBB, 0xBF, .. "{\"a\": \"é\"}\n"u8]);
        Assert.Equal("{\"a\": \"é\"}\n", TextFile.Read(path));
        Assert.Equal(["{\"a\": \"é\"}"], TextFile.Lines(path));
        using var stream = TextFile.Open(path);
        Assert.Equal("{\"a\": \"é\"}\n", stream.ReadToEnd());
        using var json = JsonFile.Read(path);
        Assert.Equal("é", json.RootElement.GetProperty("a").GetString());
    }

    [Theory]
    [MemberData(nameof(Encodings))]
    public void Other_encodings_are_named_with_what_to_do(string name, bool mark)
    {
        var encoding = Encoding.GetEncoding(name);
        var path = Write([.. mark ? encoding.GetPreamble() : [], .. encoding.GetBytes("{\"a\": 1}")]);
        foreach (var read in Readers(path))
        {
            var message = Assert.Throws<ConfigException>(read).Message;
            Assert.StartsWith($"{path} is {name[..6].ToUpperInvariant()}; save it as UTF-8", message);
        }
    }

    [Theory]
    [InlineData("ab\ncd\xE9x", "line 2, byte 3: 0xE9 is not UTF-8")]
    [InlineData("\xC3\xA9\xFF", "line 1, byte 3: 0xFF is not UTF-8")]
    [InlineData("ab\n\xED\xA0\x80", "line 2, byte 1: 0xED is not UTF-8")]
    [InlineData("ab\ncd\xE2\x82", "line 2, byte 3: the text ends in the middle of a character")]
    [InlineData("ab\n\0", "line 2, byte 1: a NUL byte")]
    public void What_is_not_UTF_8_is_named_by_line_and_byte_however_it_is_read(string latin1, string place)
    {
        var path = Write(Encoding.Latin1.GetBytes(latin1));
        foreach (var read in Readers(path))
        {
            Assert.StartsWith($"{path} {place}", Assert.Throws<ConfigException>(read).Message);
        }
    }

    [Fact]
    public void Places_and_characters_are_right_however_a_stream_is_cut()
    {
        var text = string.Concat(Enumerable.Range(0, 200).Select(i => $"a{i}é€𝄞\r\n"));
        foreach (var size in new[] { 1, 2, 3, 5, 7, 4096 })
        {
            using var good = TextFile.Open(new Slices(Encoding.UTF8.GetBytes(text), size), "in");
            Assert.Equal(text, good.ReadToEnd());
            using var bad = TextFile.Open(new Slices([.. Encoding.UTF8.GetBytes(text), (byte)'x', 0xE2, (byte)'y'], size), "in");
            Assert.StartsWith("in line 201, byte 2: 0xE2", Assert.Throws<ConfigException>(bad.ReadToEnd).Message);
        }
    }

    [Fact]
    public void What_cannot_be_opened_is_said_in_words()
    {
        var missing = Path.Combine(folder, "no", "x.json");
        Assert.Equal($"{folder} is a folder, where a file is needed: name the file in it; it is a list", Message(folder, "it is a list"));
        Assert.Equal($"{missing} cannot be read: it is missing, there is no folder {Path.GetDirectoryName(missing)}", Message(missing));
        Assert.Equal($"{missing[..^7]}.x cannot be read: it is missing", Message($"{missing[..^7]}.x"));
        var link = Path.Combine(folder, "link");
        File.CreateSymbolicLink(link, "../blobs/0");
        Assert.StartsWith($"{link} is a link to ../blobs/0, which does not exist", Message(link));
        Assert.StartsWith(" is not the name of a file", Message(string.Empty));
    }

    [Theory]
    [InlineData("", "is empty, where JSON is expected")]
    [InlineData(" \n", "is empty, where JSON is expected")]
    [InlineData("[1,\n2,\n]", "line 3, column 1 is not valid JSON: a comma before ]; take the comma out")]
    [InlineData("{\"a\": 1,}", "line 1, column 9 is not valid JSON: a comma before }; take the comma out")]
    [InlineData("// x\n{}", "line 1, column 1 is not valid JSON: a comment")]
    [InlineData("\n # x\n{}", "line 2, column 2 is not valid JSON: a comment")]
    [InlineData("/* x\n */ {}", "line 1, column 1 is not valid JSON: a comment")]
    [InlineData("{\"a\": 1, // x\n\"b\": 2}", "line 1, column 10 is not valid JSON: a comment")]
    [InlineData("{} # x", "line 1, column 4 is not valid JSON: a comment")]
    [InlineData("{\"a\": NaN}", "line 1, column 7 is not valid JSON: NaN is no JSON number; write null")]
    [InlineData("{\"a\": -Infinity}", "is not valid JSON: Infinity is no JSON number")]
    [InlineData("{\"a\": None}", "line 1, column 7 is not valid JSON: None is Python's; write null")]
    [InlineData("{\"a\": True}", "is not valid JSON: True is Python's; write true")]
    [InlineData("{'a': 1}", "is not valid JSON: a single quote")]
    [InlineData("{\"a\": \"b\nc\"}", "line 1, column 9 is not valid JSON: a bare control character (0x0A) in a text; write line breaks as \\n")]
    [InlineData("{\"a\": [1, 2", "is not valid JSON: it ends in the middle")]
    [InlineData("{\"a\": \"b", "is not valid JSON: it ends in the middle")]
    [InlineData("{} {}", "line 1, column 4 is not valid JSON: something follows after its end")]
    [InlineData("[1]\n\uFEFF[2]", "a byte order mark in the middle of the file")]
    [InlineData("{\"a\": {\"b\": 1,\n \"b\": 2}}", "line 2, column 2 gives a.b twice; keep one")]
    [InlineData("{\"a\": [{}, {\"b\": \"x\\ud83dy\"}]}", "line 1, column 20, a[1].b holds half a surrogate pair, \\ud83d")]
    [InlineData("{\"a\\udc00\": 1}", "holds half a surrogate pair, \\udc00")]
    [InlineData("version https://git-lfs.github.com/spec/v1\n", "it is a git-lfs pointer; run 'git lfs pull'")]
    [InlineData("<!DOCTYPE html>", "it is a web page or XML")]
    public void What_is_not_JSON_is_said_with_place_and_remedy(string text, string expected)
    {
        var path = Write(Encoding.UTF8.GetBytes(text));
        var message = Assert.Throws<ConfigException>(() => JsonFile.Read(path)).Message;
        Assert.StartsWith(path, message);
        Assert.Contains(expected, message);
    }

    [Fact]
    public void Whole_pairs_and_escaped_backslashes_are_read()
    {
        using var json = JsonFile.Parse("{\"a\": \"\\ud83d\\ude00\", \"b\": \"\\\\ud83d\"}"u8.ToArray(), "x");
        Assert.Equal("😀", json.RootElement.GetProperty("a").GetString());
        Assert.Equal("\\ud83d", json.RootElement.GetProperty("b").GetString());
    }

    [Fact]
    public void What_is_nested_too_deep_is_refused_not_followed()
    {
        var path = Write(Encoding.ASCII.GetBytes(new string('[', 200_000)));
        Assert.Contains("nested deeper than 64 levels", Assert.Throws<ConfigException>(() => JsonFile.Read(path)).Message);
    }

    [Theory]
    [InlineData("2", 2L)]
    [InlineData("2.0", 2L)]
    [InlineData("1e3", 1000L)]
    [InlineData("-0.0", 0L)]
    [InlineData("2.5", null)]
    [InlineData("1e300", null)]
    [InlineData("\"2\"", null)]
    [InlineData("99999999999999999999999", null)]
    public void A_whole_number_is_one_however_it_is_written(string text, long? expected)
    {
        using var json = JsonDocument.Parse(text);
        Assert.Equal(expected, JsonText.Whole(json.RootElement));
    }

    private static Action[] Readers(string path) =>
    [
        () => TextFile.Read(path), () => TextFile.Lines(path), () => TextFile.Open(path).ReadToEnd(), () => JsonFile.Read(path),
    ];

    private static string Message(string path, string? hint = null)
    {
        var whole = Assert.Throws<ConfigException>(() => TextFile.Read(path, hint)).Message;
        Assert.Equal(whole, Assert.Throws<ConfigException>(() => TextFile.Open(path, hint)).Message);
        return whole;
    }

    private string Write(byte[] bytes)
    {
        var path = Path.Combine(folder, "x.json");
        File.WriteAllBytes(path, bytes);
        return path;
    }

    /// <summary>A stream that gives a few bytes at a time, as pipes do.</summary>
    private sealed class Slices(byte[] bytes, int size) : MemoryStream(bytes)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(size, count));

        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(size, buffer.Length)]);
    }
}
