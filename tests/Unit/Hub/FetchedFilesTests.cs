using Fovea.Events;
using Fovea.Hub;
using Fovea.Hub.Fetching;
using Fovea.Running;
using Fovea.Runs.Events;

namespace Fovea.Tests.Unit.Hub;

/// <summary>A fetch as a program sees it that runs or loads something by its name.</summary>
public sealed class FetchedFilesTests
{
    private static readonly RepoName Repo = RepoName.Parse("acme/tiny");

    [Fact]
    public void A_run_tells_it_as_events_and_goes_on_without_a_view_that_fails()
    {
        var (told, failures) = (new List<RunEvent>(), 0);
        IEventSink[] views = [new CallbackSink(_ => throw new InvalidOperationException($"{++failures}")), new CallbackSink(told.Add)];
        var progress = new FetchedFiles(views);
        progress.Report(new HubProgress(Repo, 0, 0, 0, "another process fetches it; waiting"));
        progress.Report(new HubProgress(Repo, 100, 300, 2));
        progress.Report(new HubProgress(Repo, 300, 300, 2));
        RunEvent[] expected =
        [
            new Notice("acme/tiny: another process fetches it; waiting"), new FilesFetched("acme/tiny", 2, 100, 300),
            new FilesFetched("acme/tiny", 2, 300, 300),
        ];
        Assert.Equal(expected.Select(e => e with { Time = default }), told.Select(e => e with { Time = default }));
        Assert.Equal(1, failures);
    }

    [Fact]
    public void A_model_that_is_loaded_tells_it_in_sentences()
    {
        var told = new List<string>();
        var progress = FetchedFiles.Sentences(told.Add);
        progress.Report(new HubProgress(Repo, 0, 3 << 20, 2));
        progress.Report(new HubProgress(Repo, 1 << 20, 3 << 20, 2));
        progress.Report(new HubProgress(Repo, 3 << 20, 3 << 20, 2));
        progress.Report(new HubProgress(Repo, 0, 0, 0, "the cache is used"));
        Assert.Equal(["fetching acme/tiny: 2 files, " + DiskRoom.Size(3 << 20), "acme/tiny: the cache is used"], told);
    }
}
