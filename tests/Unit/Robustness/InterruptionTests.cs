namespace Fovea.Tests.Unit.Robustness;

/// <summary>Runs that are ended from outside, and go on.</summary>
public sealed class InterruptionTests : IDisposable
{
    private readonly TinyRun run = new();

    [Fact]
    public void A_run_killed_within_a_step_goes_on_bitwise_from_its_last_checkpoint()
    {
        Succeeds(run.Train("whole"));
        using (var process = FoveaProcess.Start(run.Train("killed")))
        {
            Assert.True(process.WaitUntil(() => Steps("killed") >= 5), process.Errors);
            process.Kill();
        }

        Assert.True(Steps("killed") < 10);
        var output = Succeeds(run.Train("killed", "resume_from_checkpoint=true"));
        Assert.Matches("going on after [468]", output);
        Same("whole", "killed");
    }

    [Fact]
    public void A_checkpoint_that_was_not_finished_is_never_picked_up()
    {
        Succeeds(run.Train("whole"));
        using (var process = FoveaProcess.Start(run.Train("killed", "save_steps=1")))
        {
            var third = Path.Combine(run.Out("killed"), "checkpoint-3");
            Assert.True(process.WaitUntil(() => Partial("killed").Length > 0 && Directory.Exists(third)), process.Errors);
            process.Kill();
        }

        // Whether the kill was in time or not, half a checkpoint lies there now, newer than every whole one.
        var half = Directory.CreateDirectory(Path.Combine(run.Out("killed"), ".checkpoint-9.partial")).FullName;
        File.WriteAllBytes(Path.Combine(half, "adapter_model.safetensors"), [1, 2, 3]);
        Directory.CreateDirectory(Path.Combine(run.Out("killed"), "checkpoint-10"));
        var output = Succeeds(run.Train("killed", "save_steps=1", "resume_from_checkpoint=true"));
        Assert.Matches("going on after [3-9]", output);
        Same("whole", "killed");
        Assert.Empty(Partial("killed"));
    }

    [Fact]
    public void On_SIGTERM_the_step_is_finished_and_saved_and_the_way_on_is_told()
    {
        Succeeds(run.Train("whole", "save_steps=500"));
        using (var process = FoveaProcess.Start(run.Train("stopped", "save_steps=500")))
        {
            Assert.True(process.WaitUntil(() => Steps("stopped") >= 3), process.Errors);
            process.Signal("TERM");
            Assert.Equal(130, process.Wait());
            Assert.Contains("resume_from_checkpoint=", process.Output);
            Assert.DoesNotContain("   at ", process.Errors);
        }

        Assert.Single(Directory.GetDirectories(run.Out("stopped"), "checkpoint-*"));
        Succeeds(run.Train("stopped", "save_steps=500", "resume_from_checkpoint=true"));
        Same("whole", "stopped");
    }

    [Fact]
    public void A_full_disk_ends_the_run_with_one_message_and_leaves_the_earlier_checkpoints()
    {
        // No file may grow past a few KB: the first that does not fit is a checkpoint's.
        var (code, _, errors) = FoveaProcess.RunLimited(kilobytes: 48, run.Train("full"));
        Assert.Equal(1, code);
        Assert.Matches(@"^error: [^\n]*(File too large|cannot be written)[^\n]*\n$", errors);
        Assert.Empty(Directory.GetDirectories(run.Out("full"), "checkpoint-*"));
    }

    public void Dispose() => run.Dispose();

    private static string Succeeds(string[] arguments)
    {
        var (code, output, errors) = FoveaProcess.Run(arguments);
        Assert.True(code == 0, $"exit code {code}\n{output}\n{errors}");
        return output;
    }

    private void Same(string a, string b)
    {
        Assert.Equal(run.Losses(a), run.Losses(b));
        Assert.Equal(10, run.Losses(b).Length);
        Assert.Equal(run.Adapter(a), run.Adapter(b));
    }

    private string[] Partial(string name) => Directory.Exists(run.Out(name)) ? Directory.GetDirectories(run.Out(name), ".checkpoint-*.partial") : [];

    private int Steps(string name)
    {
        var log = Path.Combine(run.Out(name), "trainer_log.jsonl");
        if (!File.Exists(log))
        {
            return 0;
        }

        using var reader = new StreamReader(new FileStream(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        return reader.ReadToEnd().Split("\"loss\"").Length - 1;
    }
}
