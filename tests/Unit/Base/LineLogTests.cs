using System.Text;

namespace Fovea.Tests.Unit.Base;

public sealed class LineLogTests : IDisposable
{
    private readonly TempFolder folder = new();

    private string Path => folder["new/log.jsonl"];

    public void Dispose() => folder.Dispose();

    [Fact]
    public void However_a_file_is_cut_whole_lines_stay_and_the_next_begins_on_its_own()
    {
        using (var log = LineLog.Open(Path))
        {
            Assert.True(log.IsEmpty);
            log.Add("eins");
            log.Add("谢谢");
            Assert.Equal(["eins", "谢谢"], Lines()); // readable while it is open
        }

        var bytes = File.ReadAllBytes(Path);
        for (var length = 0; length <= bytes.Length; length++)
        {
            File.WriteAllBytes(Path, bytes[..length]);
            var whole = Lines();
            Assert.Equal(bytes.AsSpan(0, length).Count((byte)'\n'), whole.Count);
            using (var log = LineLog.Open(Path))
            {
                Assert.Equal(whole.Count == 0, log.IsEmpty);
                log.Add("x");
            }

            Assert.Equal([.. whole, "x"], Lines());
        }
    }

    [Fact]
    public void Who_opens_it_says_how_many_lines_stay()
    {
        File.WriteAllText(folder["a"], "one\n\nthree\nhalf");
        using (LineLog.Open(folder["a"], lines => lines.Count - 1))
        {
        }

        Assert.Equal("one\n\n", File.ReadAllText(folder["a"]));
        using (var log = LineLog.Open(folder["a"], _ => 0))
        {
            Assert.True(log.IsEmpty);
        }

        Assert.Throws<ConfigException>(() => LineLog.Open(folder["a"], _ => throw new ConfigException("no")));
        LineLog.Open(folder["a"]).Dispose(); // it was closed
    }

    [Fact]
    public void The_files_of_a_folder_come_in_the_order_of_their_names()
    {
        folder.Write("log.rank10.jsonl", string.Empty);
        folder.Write("log.rank1.jsonl", string.Empty);
        folder.Write("other.jsonl", string.Empty);
        Assert.Equal(["log.rank1.jsonl", "log.rank10.jsonl"], LineLog.Files(folder.Path, "log*.jsonl").Select(System.IO.Path.GetFileName));
        Assert.Empty(LineLog.Files(folder["none"], "*"));
    }

    private List<string> Lines() => [.. LineLog.Read(Path).Select(line => Encoding.UTF8.GetString(line.Span))];
}
