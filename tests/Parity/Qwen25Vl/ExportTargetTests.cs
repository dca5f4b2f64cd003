using System.Text.Json.Nodes;
using Fovea.Files.Safetensors;
using Fovea.Models.Saving;

namespace Fovea.Tests.Parity.Qwen25Vl;

/// <summary>Where an export may go: links, folders that cannot be renamed, earlier exports and strangers' files.</summary>
public sealed class ExportTargetTests : NativeTest
{
    private static readonly string Base = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly string Adapter = TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens");
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-export-").FullName;

    [Fact]
    public void Through_a_link_the_model_lies_where_it_leads_and_the_link_stays()
    {
        var large = Directory.CreateDirectory(In("large")).FullName;
        File.CreateSymbolicLink(In("merged"), large);
        Export("merged");
        Export("merged"); // an earlier export is replaced there too
        Assert.Equal(large, new FileInfo(In("merged")).LinkTarget);
        Assert.Equal(8, Directory.GetFileSystemEntries(large).Length);
        Assert.Equal(["large", "merged"], Directory.GetFileSystemEntries(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_folder_itself_is_never_renamed_or_made_anew()
    {
        // As a mount point: the mark is one of the folder, not of a name.
        var target = Directory.CreateDirectory(In("merged"));
        Directory.CreateDirectory(In("merged/lost+found"));
        var inode = Inode(target.FullName);
        Export("merged");
        Assert.Equal(inode, Inode(target.FullName));
        Export("merged", e => e with { MaxShardBytes = 3_000_000 });
        Assert.Equal(inode, Inode(target.FullName));
        Assert.False(File.Exists(In("merged/model.safetensors")), "the earlier export's file is gone");
        Assert.True(Directory.Exists(In("merged/lost+found")));
        Assert.Empty(Directory.GetFileSystemEntries(target.FullName, ".*"));
    }

    [Fact]
    public void What_a_killed_export_left_is_no_stranger_and_goes()
    {
        Directory.CreateDirectory(In("merged/.fovea_export.partial"));
        File.WriteAllText(In("merged/.fovea_export.partial/model.safetensors"), "half");
        Export("merged");
        Assert.False(Directory.Exists(In("merged/.fovea_export.partial")));
    }

    [Fact]
    public void A_folder_where_a_file_belongs_is_refused_before_anything_is_written()
    {
        File.WriteAllText(Path.Combine(Directory.CreateDirectory(In("merged/tokenizer.json")).FullName, "x"), "mine");
        var error = Assert.Throws<ConfigException>(() => Export("merged", e => e with { Force = true }));
        Assert.Contains($"{In("merged/tokenizer.json")} is a folder where the export writes a file", error.Message, StringComparison.Ordinal);
        Assert.Equal(["tokenizer.json"], Directory.GetFileSystemEntries(In("merged")).Select(Path.GetFileName));
    }

    [Fact]
    public void An_export_that_fails_half_way_leaves_the_earlier_one_as_it_was()
    {
        Export("merged");
        var before = Contents();

        // A shard whose name is taken by a folder is known only when the shards are.
        Directory.CreateDirectory(In("merged/model-00002-of-00005.safetensors/mine"));
        var many = Directory.CreateTempSubdirectory("fovea-shards-").FullName;
        new ModelExport { Model = Base, Adapters = [Adapter], Target = many, MaxShardBytes = 3_000_000 }.Run(_ => { });
        var shards = Directory.GetFiles(many, "model-*.safetensors").Length;
        Directory.Delete(many, recursive: true);
        Directory.Move(In("merged/model-00002-of-00005.safetensors"), In($"merged/model-00002-of-{shards:00000}.safetensors.x"));
        Directory.Move(In($"merged/model-00002-of-{shards:00000}.safetensors.x"), In($"merged/model-00002-of-{shards:00000}.safetensors"));
        var error = Assert.Throws<ConfigException>(() => Export("merged", e => e with { MaxShardBytes = 3_000_000, Force = true }));
        Assert.Contains("is a folder where the export writes a file", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, Contents());
        Assert.Empty(Directory.GetFileSystemEntries(In("merged"), ".*"));
    }

    [Fact]
    public void A_failed_export_takes_back_the_folder_that_it_made()
    {
        using (ExportFolder.Open(Base, In("new"), force: false))
        {
            Assert.True(Directory.Exists(In("new")));
        }

        Assert.False(Directory.Exists(In("new")));
    }

    [Fact]
    public void A_note_that_names_files_elsewhere_removes_none_of_them()
    {
        File.WriteAllText(In("precious"), "mine");
        Directory.CreateDirectory(In("merged"));
        var files = new JsonArray("../precious", In("precious"), "a\0b", null, 3);
        var outside = new JsonArray("../precious", In("precious"), "fovea_export.json");
        File.WriteAllText(In("merged/fovea_export.json"), new JsonObject { ["files"] = outside }.ToJsonString());
        Export("merged");
        Assert.Equal("mine", File.ReadAllText(In("precious")));
        File.WriteAllText(In("merged/fovea_export.json"), new JsonObject { ["files"] = files }.ToJsonString());
        Assert.Contains("holds what is no earlier export", Assert.Throws<ConfigException>(() => Export("merged")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_base_reached_through_links_is_still_the_base()
    {
        Directory.CreateDirectory(In("disk"));
        File.CreateSymbolicLink(In("disk/model"), Base);
        File.CreateSymbolicLink(In("short"), In("disk"));
        var error = Assert.Throws<ConfigException>(() => Export("short/model", e => e with { Force = true }));
        Assert.Contains("is the base model itself", error.Message, StringComparison.Ordinal);
        error = Assert.Throws<ConfigException>(() => Export("out", e => e with { Model = In("short/model"), Target = Base, Force = true }));
        Assert.Contains("is the base model itself", error.Message, StringComparison.Ordinal);
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private static string Inode(string path)
    {
        using var stat = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("stat", ["-c", "%i", path]) { RedirectStandardOutput = true })!;
        return stat.StandardOutput.ReadToEnd();
    }

    private string In(string name) => Path.Combine(folder, name);

    private Dictionary<string, string> Contents() => Directory.GetFiles(In("merged"))
        .ToDictionary(path => path, path => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path))));

    private void Export(string name, Func<ModelExport, ModelExport>? change = null)
    {
        var export = new ModelExport { Model = Base, Adapters = [Adapter], Target = In(name) };
        (change?.Invoke(export) ?? export).Run(_ => { });
        using var written = Checkpoint.Open(In(name));
        Assert.Equal(105, written.Tensors.Count);
    }
}
