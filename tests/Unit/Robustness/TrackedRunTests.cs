using Fovea.Tests.Unit.Runs;

namespace Fovea.Tests.Unit.Robustness;

/// <summary>The command line with trackers.</summary>
public sealed class TrackedRunTests : NativeTest
{
    private readonly TinyRun tiny = new();
    private readonly FakeMlflow server = new();

    [Fact]
    public void A_run_is_in_MLflow_and_in_TensorBoard_and_resumed_in_both()
    {
        string[] both = ["report_to=mlflow,tensorboard", "run_name=first", "max_steps=4"];
        Assert.Contains("saved ", Run(0, server.Url, tiny.Train("out", both)).Output);
        var run = server.Only;
        Assert.Equal(("first", "0", "FINISHED"), (run.Name, run.Experiment, run.Status));
        Assert.Equal(tiny.Losses("out"), run.Of("loss"));
        Assert.Equal(("8", "mlflow,tensorboard"), (run.Params["lora_rank"], run.Params["report_to"]));
        Run(0, server.Url, tiny.Train("out", [.. both, "max_steps=6"]));
        Assert.Equal(tiny.Losses("out"), server.Only.Of("loss"));
        Assert.Equal(6, server.Only.Of("loss").Length);
        Assert.Equal(2, Directory.GetFiles(Path.Combine(tiny.Out(), "runs"), "events.out.tfevents*", SearchOption.AllDirectories).Length);
    }

    [Fact]
    public void A_server_that_is_not_there_fails_no_run_and_is_told()
    {
        var nowhere = server.Url;
        server.Dispose();
        Run(0, nowhere, tiny.Train("out", "report_to=mlflow", "max_steps=2"));
        Assert.Equal(2, tiny.Losses("out").Length);
        Assert.Contains("report_to: mlflow did not take ", tiny.Log("out"));
        Assert.Contains("2 steps done", tiny.Log("out"));
        Assert.Contains("needs the variable MLFLOW_TRACKING_URI", Run(2, null, tiny.Train("other", "report_to=mlflow")).Errors);
        Assert.False(Directory.Exists(tiny.Out("other")));
    }

    protected override void Cleanup()
    {
        server.Dispose();
        tiny.Dispose();
    }

    private static (string Output, string Errors) Run(int code, string? address, string[] arguments)
    {
        var variables = new Dictionary<string, string?> { ["MLFLOW_TRACKING_URI"] = address };
        using var process = FoveaProcess.StartWith(variables, arguments);
        Assert.True(process.Wait() == code, process.Output + process.Errors);
        return (process.Output, process.Errors);
    }
}
