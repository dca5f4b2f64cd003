using Fovea.Events;
using Fovea.Runs.Events;
using Fovea.Runs.Files;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Unit.Robustness;

/// <summary>Images that cannot be used, under each policy.</summary>
public sealed class BadImageTests : NativeTest
{
    private readonly TinyRun run = new();

    public static TheoryData<string> Unusable { get; } =
    [
        "header_only.jpg", "corrupt.png", "truncated.jpg", "truncated.png", "truncated.webp",
        "truncated.gif", "empty.jpg", "zero.png", "huge.png", "text.jpg", "gone.jpg",
    ];

    [Theory]
    [MemberData(nameof(Unusable))]
    public void An_unusable_image_stops_the_run_and_is_named_with_data_set_row_and_reason(string file)
    {
        var path = Broken(file);
        var (code, errors) = FailureTests.Invoke(run.Train("out", With(path, 2)));
        Assert.True(code is 1 or 2, $"{code}"); // what headers show is found before the run begins
        var error = errors[0];
        Assert.Contains("'rows', row 3:", error);
        Assert.Contains(path, error);
        Assert.DoesNotContain(errors, line => line.StartsWith("   at ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("skip", "left out")]
    [InlineData("resample", "replaced")]
    public void Under_skip_and_resample_each_is_counted_and_named_in_the_log(string policy, string action)
    {
        string[] overrides = [.. WithAll(), $"on_bad_sample={policy}", "max_steps=8", "disable_shuffling=true"];
        var view = new Counter();
        SupervisedFineTune.Run(TrainConfig.Load(run.Config, [$"output_dir={run.Out()}", .. overrides]), [view]);
        var log = run.Log("out");
        foreach (var file in Unusable)
        {
            // What is not even there is found before the run begins, and never drawn.
            var done = file.Data == "gone.jpg" ? "left out" : action;
            Assert.Contains(view.Skipped, s => s.Action == done && s.Reason.Contains(Broken(file.Data), StringComparison.Ordinal));
            Assert.Contains(log.Split('\n'), line => line.Contains($"{done}: rows row ") && line.Contains(Broken(file.Data)));
        }

        // A step of which nothing is left counts, and has no loss.
        var history = TrainerState.Load(Path.Combine(run.Out(), TrainerState.FileName)).LogHistory;
        Assert.Equal(8, history.Count(entry => entry.ContainsKey("learning_rate")));
        Assert.Equal(policy == "skip" ? 4 : 8, run.Losses("out").Length);
        Assert.All(run.Losses("out"), loss => Assert.InRange(loss, 1, 20));
    }

    [Theory]
    [InlineData("broken/grey16.png", false)]
    [InlineData("odd/png_rgba16.png", true)]
    [InlineData("odd/jpg_motion_ffda.jpg", true)]
    [InlineData("decode/cmyk.jpg", true)]
    [InlineData("decode/rgb16.png", true)]
    public void Images_of_16_bits_and_in_CMYK_and_motion_photos_are_trained_on_and_grey_of_16_bits_is_named(string file, bool isUsable)
    {
        var path = TestFiles.Golden($"images/{file}");
        var (code, errors) = FailureTests.Invoke(run.Train("out", [.. With(path, 2), "max_steps=2"]));
        Assert.True((code == 0) == isUsable, string.Join('\n', errors));
        Assert.True(isUsable || errors.Any(e => e.Contains(path, StringComparison.Ordinal)), string.Join('\n', errors));
    }

    protected override void Cleanup() => run.Dispose();

    private static string Broken(string file) => Path.Combine(TestFiles.Root, "tests", "goldens", "images", "broken", file);

    private string[] With(string image, int row) => run.Rows(4, rows => rows[row]!["images"]![0] = image);

    private string[] WithAll() => run.Rows(16, rows =>
    {
        var pictured = rows.Where(row => row!["images"]!.AsArray().Count > 0).Skip(1).ToList();
        for (var i = 0; i < Unusable.Count; i++)
        {
            pictured[i]!["images"]![0] = Broken(Unusable.ElementAt(i).Data);
        }
    });

    private sealed class Counter : IEventSink
    {
        public List<SampleSkipped> Skipped { get; } = [];

        public void Write(RunEvent e)
        {
            if (e is SampleSkipped skipped)
            {
                Skipped.Add(skipped);
            }
        }
    }
}
