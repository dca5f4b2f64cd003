namespace Fovea.Tests.Unit.Robustness;

/// <summary>Where runs and exports write: links, mounted disks, and what cannot be written, which is told before any work.</summary>
public sealed class TargetTests : NativeTest
{
    private static readonly bool MayMount = Mounts();
    private readonly TinyRun run = new();

    [Fact]
    public void A_run_into_a_link_lies_where_the_link_leads_checkpoints_and_all()
    {
        var large = Directory.CreateDirectory(run.Out("large")).FullName;
        File.CreateSymbolicLink(run.Out("out"), large);
        Succeeds(run.Train("out", "max_steps=2", "save_steps=1", "save_total_limit=1"));
        Assert.Equal(large, new FileInfo(run.Out("out")).LinkTarget);
        Assert.True(File.Exists(Path.Combine(large, "adapter_model.safetensors")));
        Assert.Equal(["checkpoint-2"], Directory.GetDirectories(large, "checkpoint-*").Select(Path.GetFileName));
    }

    [Fact]
    public void A_cache_whose_link_leads_nowhere_is_told_once_and_the_run_goes_on_without()
    {
        File.CreateSymbolicLink(run.Out("cache"), run.Out("unplugged"));
        Succeeds(run.Train("out", "max_steps=2", $"vision_cache_dir={run.Out("cache")}"));
        var told = $"the cache of vision features in {run.Out("cache")} is not used";
        Assert.Single(run.Log("out").Split('\n'), line => line.Contains(told, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("dangling", "is a link to")]
    [InlineData("adapter_model.safetensors", "is a folder where the run writes a file")]
    [InlineData("checkpoint-2", "is a file where the run makes a folder")]
    [InlineData("logging_dir", "logging_dir: ")]
    public void What_would_fail_at_the_end_fails_at_the_beginning_in_one_sentence(string what, string expected)
    {
        var overrides = new List<string> { "overwrite_output_dir=true" };
        switch (what)
        {
            case "dangling":
                File.CreateSymbolicLink(run.Out("out"), run.Out("unplugged"));
                break;
            case "checkpoint-2":
                Directory.CreateDirectory(run.Out("out"));
                File.WriteAllText(Path.Combine(run.Out("out"), what), "mine");
                break;
            case "logging_dir":
                overrides.AddRange(["report_to=tensorboard", $"logging_dir={run.Config}/logs"]);
                break;
            default:
                File.WriteAllText(Path.Combine(Directory.CreateDirectory(Path.Combine(run.Out("out"), what)).FullName, "x"), "mine");
                break;
        }

        var before = Everything();
        var (code, errors) = FailureTests.Invoke(run.Train("out", [.. overrides]));
        Assert.Equal(2, code);
        Assert.Contains(expected, Assert.Single(errors), StringComparison.Ordinal);
        Assert.Equal(before, Everything());
    }

    [Fact]
    public void A_mounted_disk_holds_the_run_and_the_export_that_were_written_to_it()
    {
        TestFiles.Require(MayMount, "this machine lets no test mount a disk in a namespace of its own");
        var (code, text) = Mounted("64m", run.Train("disk", "max_steps=1", "overwrite_output_dir=true"), "adapter_model.safetensors");
        Assert.True(code == 0, text);
        Assert.Contains("on the disk: adapter_model.safetensors", text, StringComparison.Ordinal);

        (code, text) = Mounted("64m", ["export", "--model", TinyRun.Model, "--out", run.Out("disk")], "model.safetensors");
        Assert.True(code == 0, text);
        Assert.Contains("on the disk: model.safetensors", text, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(run.Out("disk"))); // all of it went with the mounted disk
    }

    [Fact]
    public void A_disk_too_small_is_told_before_the_first_step_and_before_the_model_is_loaded()
    {
        TestFiles.Require(MayMount, "this machine lets no test mount a disk in a namespace of its own");
        var (code, text) = Mounted("64k", run.Train("disk"), "trainer_log.jsonl");
        Assert.Equal(2, code);
        Assert.Contains("GB free, and one checkpoint takes", text, StringComparison.Ordinal);
        Assert.DoesNotContain("on the disk", text, StringComparison.Ordinal);

        (code, text) = Mounted("64k", ["export", "--model", TinyRun.Model, "--out", run.Out("disk")], "model.safetensors");
        Assert.Equal(2, code);
        Assert.Contains("GB free, and the model takes", text, StringComparison.Ordinal);
        Assert.DoesNotContain("loading", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_disk_that_may_only_be_read_is_told_before_any_work()
    {
        TestFiles.Require(MayMount, "this machine lets no test mount a disk in a namespace of its own");
        foreach (var arguments in new[] { run.Train("disk"), ["export", "--model", TinyRun.Model, "--out", run.Out("disk")] })
        {
            var (code, text) = Mounted("1m,ro", arguments, "x");
            Assert.Equal(2, code);
            Assert.Contains($"{run.Out("disk")} cannot be written (Read-only file system)", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_plan_is_put_where_the_link_of_a_configuration_leads()
    {
        var link = Path.Combine(run.Folder, "linked.yaml");
        File.CreateSymbolicLink(link, run.Config);
        Succeeds(["plan", link, $"output_dir={run.Out()}", "--ranks", "2", "--zero", "2", "--offload", "none", "--write"]);
        Assert.Equal(run.Config, new FileInfo(link).LinkTarget);
        Assert.Contains("zero: 2", File.ReadAllText(run.Config), StringComparison.Ordinal);
    }

    protected override void Cleanup() => run.Dispose();

    private static void Succeeds(string[] arguments)
    {
        var (code, errors) = FailureTests.Invoke(arguments);
        Assert.True(code == 0, string.Join('\n', errors));
    }

    /// <summary>Runs with a small disk at the place of the run's folder, which only that process sees.</summary>
    /// <param name="file">Told of when it lies on that disk afterwards.</param>
    private (int Code, string Text) Mounted(string size, string[] arguments, string file)
    {
        var disk = Directory.CreateDirectory(run.Out("disk")).FullName;
        var script = $"mount -t tmpfs -o size={size} none '{disk}' || exit 99; \"$@\"; code=$?; ls '{disk}/{file}' > /dev/null 2>&1 "
            + $"&& echo 'on the disk: {file}'; exit $code";
        using var process = FoveaProcess.StartWith(new Dictionary<string, string?>(), arguments, "unshare", "-rm", "bash", "-c", script, "bash");
        return (process.Wait(), process.Output + process.Errors);
    }

    private static bool Mounts()
    {
        try
        {
            using var process = System.Diagnostics.Process.Start("unshare", ["-rm", "bash", "-c", "mount -t tmpfs none /mnt 2> /dev/null"]);
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    private List<string> Everything() => [.. Directory.GetFileSystemEntries(run.Folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
}
