using Fovea.Cli.Verbs;
using Fovea.Models.Peft;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Library;

/// <summary>Adapters and model folders as a program sees them, and merges that are the command line's to the byte.</summary>
public sealed class MergeTests : NativeTest
{
    private static readonly string Base = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly string Trained = TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens");
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-merge").FullName;

    [Fact]
    public async Task A_merge_writes_the_files_of_the_command_line_s_export()
    {
        var settings = TrainConfig.Parse("{}", "test", [], ConfigUse.Any);
        ExportVerb.Plan(settings, Base, [Trained], Path.Combine(folder, "verb"), force: false).Run(_ => { });
        var said = new List<string>();
        var merged = await ModelFolder.Open(Base).MergeAsync(Path.Combine(folder, "library"), [Trained], progress: new Lines(said));
        Assert.Equal("qwen2_5_vl", merged.ModelType);
        Assert.Contains(said, line => line.StartsWith("merged", StringComparison.Ordinal));
        var files = Directory.GetFiles(Path.Combine(folder, "verb")).Select(Path.GetFileName).Order().ToList();
        Assert.Equal(files, Directory.GetFiles(merged.Path).Select(Path.GetFileName).Order());
        Assert.All(files, name => Assert.Equal(File.ReadAllBytes(Path.Combine(folder, "verb", name!)), File.ReadAllBytes(Path.Combine(merged.Path, name!))));
    }

    [Fact]
    public async Task A_target_that_is_not_empty_is_refused_unless_told_otherwise_and_so_is_what_no_model_has()
    {
        var target = Path.Combine(folder, "target");
        Directory.CreateDirectory(target);
        File.WriteAllText(Path.Combine(target, "mine.txt"), "mine");
        var model = ModelFolder.Open(Base);
        await Assert.ThrowsAsync<ConfigException>(() => model.MergeAsync(target, [Trained]));
        await model.MergeAsync(target, [Trained], new() { Overwrite = true, Precision = Precision.Bf16 });
        Assert.Equal("mine", File.ReadAllText(Path.Combine(target, "mine.txt")));
        await Assert.ThrowsAsync<ConfigException>(() => model.MergeAsync(target, [], new() { Precision = Precision.PureBf16, Overwrite = true }));
        await Assert.ThrowsAsync<ConfigException>(() => model.MergeAsync(target, [], new() { MaxShardBytes = 0, Overwrite = true }));
    }

    [Fact]
    public void Folders_say_what_they_are()
    {
        var adapter = Adapter.Open(Trained);
        var config = PeftConfig.Read(Trained);
        Assert.Equal((config.Lora.Rank, config.Lora.Alpha, config.BaseModel), (adapter.Rank, adapter.Alpha, adapter.BaseModel));
        Assert.Throws<ConfigException>(() => Adapter.Open(Base));
        Assert.Throws<ConfigException>(() => ModelFolder.Open(Trained));
        Assert.Contains("qwen2_5_vl", ModelFolder.SupportedTypes);
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private sealed class Lines(List<string> lines) : IProgress<string>
    {
        public void Report(string value) => lines.Add(value);
    }
}
