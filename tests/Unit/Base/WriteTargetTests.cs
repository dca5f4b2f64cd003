using System.Runtime.Versioning;

namespace Fovea.Tests.Unit.Base;

/// <summary>Folders and files that a user names to be written: links are followed, and what cannot work is refused before anything is made.</summary>
public sealed class WriteTargetTests : IDisposable
{
    private readonly TempFolder folder = new();

    [Fact]
    public void Links_are_followed_through_folders_and_chains_whether_the_last_folder_exists_or_not()
    {
        var large = Directory.CreateDirectory(folder.File("large")).FullName;
        Link("first", large);
        Link("second", "first"); // relative
        Assert.Equal(large, WriteTarget.Folder(folder.File("second"), "output_dir"));
        Assert.Equal(Path.Combine(large, "new", "run"), WriteTarget.Folder(folder.File("second/new/run/"), "output_dir"));
        Assert.Equal(Path.Combine(large, "x.json"), WriteTarget.File(folder.File("second/x.json"), "--json"));
        Assert.Empty(Directory.GetFileSystemEntries(large));
    }

    [Fact]
    public void A_link_that_leads_nowhere_is_named_with_where_it_leads()
    {
        Link("out", folder.File("unplugged"));
        Refused("output_dir: {0} is a link to {1}, which does not exist", () => WriteTarget.Folder(folder.File("out"), "output_dir"), "out", "unplugged");
        Refused("goes through {0}, a link to {1}, which does not exist", () => WriteTarget.Folder(folder.File("out/run"), "output_dir"), "out", "unplugged");
        Refused("is a link to {1}, which does not exist", () => WriteTarget.File(folder.File("out"), "--json"), "out", "unplugged");
        Link("a", folder.File("b"));
        Link("b", folder.File("a"));
        Refused("go in a circle", () => WriteTarget.Folder(folder.File("a"), "output_dir"));
        Assert.False(Path.Exists(folder.File("unplugged")));
    }

    [Fact]
    public void A_file_where_a_folder_belongs_and_the_other_way_round_are_told_apart()
    {
        File.WriteAllText(folder.File("file"), "mine");
        Refused("output_dir: {0} is a file; it must be a folder", () => WriteTarget.Folder(folder.File("file"), "output_dir"), "file");
        Refused("cannot be made: {0} is a file", () => WriteTarget.Folder(folder.File("file/run"), "output_dir"), "file");
        Refused("cannot be made: {0} is a file", () => WriteTarget.File(folder.File("file/run.json"), "--json"), "file");
        Refused("--json: {0} is a folder; it must be a file", () => WriteTarget.File(folder.Path, "--json"));
        Assert.Equal(["file"], folder.Names());
    }

    [Theory]
    [InlineData("/proc/fovea")]
    [InlineData("/proc/fovea/deeper")]
    public void A_place_that_takes_no_files_is_refused_unless_it_is_only_read(string place)
    {
        Refused("output_dir: " + place + " cannot be written (", () => WriteTarget.Folder(place, "output_dir"));
        Refused("--json: " + place + " cannot be written (", () => WriteTarget.File(place, "--json"));
        Assert.Equal(place, WriteTarget.Folder(place, "vision_cache_dir", writable: false));
    }

    [Fact]
    public void What_no_path_can_be_is_a_message_too()
    {
        Refused("output_dir: ", () => WriteTarget.Folder("a\0b", "output_dir"));
        Refused("output_dir: ", () => WriteTarget.Folder(folder.File(new string('x', 300)), "output_dir"));
        Refused("--json: ", () => WriteTarget.File(string.Empty, "--json"));
    }

    [Fact]
    public void A_disk_without_room_is_refused_with_both_sizes()
    {
        WriteTarget.Room(folder.File("not/there/yet"), "output_dir", 1000, "the result");
        var error = Assert.Throws<ConfigException>(() => WriteTarget.Room(folder.Path, "output_dir", long.MaxValue, "one checkpoint"));
        Assert.Matches(@"^output_dir: .* lies on a disk with \d+\.\d\d GB free, and one checkpoint takes 9223372036\.85 GB; ", error.Message);
    }

    [Fact]
    public void What_a_file_system_keeps_for_itself_does_not_make_a_folder_full()
    {
        Directory.CreateDirectory(folder.File("lost+found"));
        Assert.Empty(WriteTarget.Entries(folder.Path));
        File.WriteAllText(folder.File("notes"), "mine");
        Assert.Equal(["notes"], WriteTarget.Entries(folder.Path).Select(entry => entry.Name));
        Assert.Empty(WriteTarget.Entries(folder.File("missing")));
    }

    [Fact]
    [SupportedOSPlatform("linux")]
    public void A_text_file_is_replaced_where_its_link_leads_and_keeps_its_mode()
    {
        File.WriteAllText(folder.File("real.yaml"), "old");
        File.SetUnixFileMode(folder.File("real.yaml"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Link("run.yaml", "real.yaml");
        WriteTarget.Text(folder.File("run.yaml"), "--write", "new");
        Assert.Equal("new", File.ReadAllText(folder.File("real.yaml")));
        Assert.Equal("real.yaml", new FileInfo(folder.File("run.yaml")).LinkTarget);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(folder.File("real.yaml")));
        WriteTarget.Text(folder.File("made/x.json"), "--json", "{}");
        Assert.Equal("{}", File.ReadAllText(folder.File("made/x.json")));
        Assert.Equal(["made", "real.yaml", "run.yaml"], folder.Names());
    }

    [Fact]
    public void A_file_that_nothing_can_be_renamed_onto_is_written_over()
    {
        var path = folder.File("mounted.yaml");
        File.WriteAllText(path, "a longer text than the new one");
        WriteTarget.Text(path, "--write", "new", (_, _, _) => throw new IOException("Device or resource busy"));
        Assert.Equal("new", File.ReadAllText(path));
        Assert.Equal(["mounted.yaml"], folder.Names());
        Refused("busy", () => WriteTarget.Text(folder.File("none"), "--write", "new", (_, _, _) => throw new IOException("Device or resource busy")));
        Assert.Equal(["mounted.yaml"], folder.Names());
    }

    public void Dispose() => folder.Dispose();

    private void Link(string name, string target) => File.CreateSymbolicLink(folder.File(name), target);

    private void Refused(string expected, Action action, params string[] names)
    {
        var error = Assert.Throws<ConfigException>(action);
        string[] paths = names.Length == 0 ? [folder.Path] : [.. names.Select(folder.File)];
        Assert.Contains(string.Format(null, expected, paths), error.Message);
        Assert.DoesNotContain(".writable", error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }
}
