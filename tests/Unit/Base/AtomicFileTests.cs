namespace Fovea.Tests.Unit.Base;

/// <summary>A name shows its old content or its whole new one, whoever else writes it and whatever was killed before.</summary>
public sealed class AtomicFileTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Two_writers_of_one_name_do_not_disturb_each_other()
    {
        using (var first = AtomicFile.Create(folder["a"]))
        using (var second = AtomicFile.Create(folder["a"]))
        {
            second.Stream.Write("second"u8);
            first.Stream.Write("first"u8);
            first.Complete();
            AtomicFile.WriteText(folder["a"], "third");
            Assert.Equal("third", File.ReadAllText(folder["a"]));
            second.Commit();
            Assert.Equal("second", File.ReadAllText(folder["a"]));
            first.Commit();
        }

        Assert.Equal("first", File.ReadAllText(folder["a"]));
        Assert.Equal(["a"], folder.Names());
    }

    [Fact]
    public void A_file_can_be_read_from_the_moment_at_which_it_has_its_name()
    {
        // The name moves while the writer still holds the file.
        using var file = AtomicFile.Create(folder["a"]);
        file.Stream.Write("new"u8);
        file.Complete();
        Assert.Equal("new", File.ReadAllText(Assert.Single(Directory.GetFiles(folder.Path, ".a.*.partial"))));
    }

    [Fact]
    public void What_is_not_committed_leaves_nothing_behind()
    {
        AtomicFile.WriteText(folder["a"], "old");
        Assert.Throws<CheckpointException>(() => AtomicFile.Write(folder["a"], stream =>
        {
            stream.Write("half"u8);
            throw new IOException("No space left on device");
        }));
        Assert.Equal("old", File.ReadAllText(folder["a"]));
        Assert.Equal(["a"], folder.Names());
    }

    [Fact]
    public void Only_what_a_killed_writer_of_the_same_name_left_is_removed()
    {
        string[] others = [".a.12345678.partial", ".b", ".b.partial", "b.partial"];
        foreach (var name in (string[])[".b.12345678.partial", ".b.1234567.partial", ".b.txt.12345678.partial", .. others])
        {
            folder.Write(name, "half");
        }

        AtomicFile.WriteText(folder["b"], "whole");
        Assert.Equal([".a.12345678.partial", ".b", ".b.1234567.partial", ".b.txt.12345678.partial", "b", "b.partial"], folder.Names());
    }
}
