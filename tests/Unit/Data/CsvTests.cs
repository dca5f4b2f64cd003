using System.Text;
using Fovea.Data.Datasets;

namespace Fovea.Tests.Unit.Data;

/// <summary>Tables as CSV (RFC 4180): what counts as a row, and what is said of files and rows that are not in order.</summary>
public sealed class CsvTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("instruction,input,output\nAdd,1 2,3\nGo,,Gone\n")]
    [InlineData("\uFEFFinstruction,input,output\r\nAdd,1 2,3\r\n\r\nGo,,Gone")]
    [InlineData("instruction,input,output\rAdd,1 2,3\rGo,,Gone\r")]
    [InlineData("\n\n\"instruction\", input ,\"output\"\r\n\"Add\",\"1 2\",\"3\"\n\n\n\"Go\",\"\",\"Gone\"\r\n")]
    [InlineData(",instruction,input,output\n0,Add,1 2,3\n1,Go,,Gone\n")]
    public void Rows_are_the_same_whatever_the_quotes_and_line_ends(string text)
    {
        using var data = Load(text);
        Assert.Equal(2, data.Train.Count);
        Assert.Equal([("Add\n1 2", "3")], data.Train[0].Turns());
        Assert.Equal([("Go", "Gone")], data.Train[1].Turns());
        Assert.Empty(data.Notices);
    }

    [Fact]
    public void Quoted_fields_hold_commas_quotes_and_line_ends()
    {
        using var data = Load("instruction,output\n\"Say \"\"a, b\"\"\",\"First\r\nSecond\rThird\n\"\nA 5\" disk,as it stands\n\"\"\"\",\",\"");
        Assert.Equal([("Say \"a, b\"", "First\r\nSecond\rThird\n")], data.Train[0].Turns());
        Assert.Equal([("A 5\" disk", "as it stands")], data.Train[1].Turns());
        Assert.Equal([("\"", ",")], data.Train[2].Turns());
    }

    [Fact]
    public void Messages_and_images_may_be_lists_written_as_JSON()
    {
        folder.Write("a.png", "x");
        folder.Write("b.png", "x");
        const string messages = """[{""role"":""user"",""content"":""<image><image>Which?""},{""role"":""assistant"",""content"":""This.""}]""";
        using var data = Load($"messages,images\n\"{messages}\",\"[\"\"a.png\"\",\"\"b.png\"\"]\"\n\"{messages}\",\"a.png, b.png\"\n");
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal([("<image><image>Which?", "This.")], data.Train[i].Turns());
            Assert.Equal(["a.png", "b.png"], data.Train[i].Images.Select(image => Path.GetFileName(image.Name)));
        }
    }

    [Fact]
    public void A_description_names_columns_and_text_that_looks_like_JSON_stays_text()
    {
        folder.Write("t.csv", "q,a,more\n{1},[2],x\n");
        folder.Write("dataset_info.json", """{"t":{"file_name":"t.csv","columns":{"prompt":"q","response":"a"}}}""");
        using var data = DatasetLoader.Load(Options("t"));
        Assert.Equal([("{1}", "[2]")], data.Train[0].Turns());
        Assert.Equal("dataset 't': nothing reads the column 'more'", Assert.Single(data.Notices));
    }

    [Fact]
    public void A_row_that_is_not_in_order_is_named_with_its_line_and_spoils_only_itself()
    {
        byte[] bytes =
        [
            .. "instruction,output\nQ0,\"A\n0\"\nQ1\nQ2,A,2\n\"Q\"3,A3\nQ4,"u8, 0xE4, .. "\nQ5,\nQ6,A6\n"u8,
        ];
        folder.Write("t.csv", bytes);
        using var data = DatasetLoader.Load(Options("t.csv") with { OnBadSample = BadSamplePolicy.Skip });
        Assert.Equal(
            [
                "dataset 't.csv', row 2: has 1 fields where the first line names 2 (in line 4)",
                "dataset 't.csv', row 3: has 3 fields where the first line names 2 (in line 5)",
                "dataset 't.csv', row 4: has text behind the closing quote of field 1: a quote within a field is written twice (in line 6)",
                "dataset 't.csv', row 5: is not UTF-8 in field 2; save the file as UTF-8 (in line 7)",
                "dataset 't.csv', row 6: the answer is empty (in line 8)",
            ],
            data.Rejected.Select(bad => bad.ToString()));
        Assert.Equal(["Q0", "Q6"], Enumerable.Range(0, data.Train.Count).Select(i => data.Train[i].Turns()[0].User));
    }

    public static TheoryData<string, string> Broken => new()
    {
        { "", "is empty; its first line must name the columns" },
        { "\r\n\n", "is empty; its first line must name the columns" },
        { "instruction,output\nQ,A\nQ,\"A\nQ,A\n", "the quote that opens in line 3 is never closed" },
        { "instruction;output\nQ;A\n", "its columns are parted by ';', where commas are needed" },
        { "instruction\toutput\nQ\tA\n", "its columns are parted by tabs, where commas are needed" },
        { "output,a,output\n1,2,3\n", "its first line names the column 'output' 2 times" },
        { "\"output\"x,a\n1,2\n", "its first line, which names the columns, has text behind the closing quote of field 1" },
        { "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "is a Git LFS pointer, not the data" },
        { "instruction,output\n", "has no rows" },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void A_file_that_is_none_is_refused_with_the_reason(string text, string reason) =>
        Assert.Contains(reason, Assert.Throws<ConfigException>(() => Load(text)).Message);

    [Fact]
    public void Another_encoding_is_refused() =>
        Assert.Contains("is UTF-16; save it as UTF-8", Assert.Throws<ConfigException>(() => Load(Encoding.Unicode.GetBytes("a,b\n1,2"))).Message);

    [Fact]
    public void Rows_longer_than_any_buffer_are_read_in_any_order()
    {
        var text = new StringBuilder("instruction,output\n");
        for (var i = 0; i < 40; i++)
        {
            text.Append(i).Append(",\"").Append(new string('x', i * 30_000)).Append(i % 2 == 0 ? "\"\"" : "\n").Append("\"\r\n");
        }

        using var data = Load(text.ToString());
        Assert.Equal(40, data.Train.Count);
        for (var i = 39; i >= 0; i--)
        {
            Assert.Equal([(i.ToString(), new string('x', i * 30_000) + (i % 2 == 0 ? "\"" : "\n"))], data.Train[i].Turns());
        }
    }

    private LoadedData Load(string text) => Load(Encoding.UTF8.GetBytes(text));

    private LoadedData Load(byte[] bytes)
    {
        folder.Write("t.csv", bytes);
        return DatasetLoader.Load(Options("t.csv"));
    }

    private DataOptions Options(string name) => new() { Dataset = [name], DatasetDir = folder.Root };
}
