using System.Diagnostics.CodeAnalysis;
using Fovea.Events;
using Fovea.Hub.Fetching;

namespace Fovea.Running;

/// <summary>How far a fetch is, as events of the run that waits for it.</summary>
internal sealed class FetchedFiles(IReadOnlyList<Runs.Events.IEventSink> views) : IProgress<HubProgress>
{
    private readonly List<Runs.Events.IEventSink> open = [.. views];

    [SuppressMessage("Design", "CA1031", Justification = "A view that fails stops no run; the run itself reports it with the next event.")]
    public void Report(HubProgress value)
    {
        RunEvent e = value.Note is { } note ? new Notice($"{value.Repo.Id}: {note}") : new FilesFetched(value.Repo.Id, value.Files, value.Done, value.Total);
        foreach (var view in open.ToList())
        {
            try
            {
                view.Write(e);
            }
            catch (Exception)
            {
                open.Remove(view);
            }
        }
    }

    /// <summary>The same as sentences: when something is fetched, and what is to be known about it.</summary>
    public static IProgress<HubProgress> Sentences(Action<string> note) => new Notes(note);

    private sealed class Notes(Action<string> note) : IProgress<HubProgress>
    {
        private readonly HashSet<string> told = [];

        public void Report(HubProgress value)
        {
            if (value.Note is { } words)
            {
                note($"{value.Repo.Id}: {words}");
            }
            else if (value.Done < value.Total && told.Add($"{value.Repo.Id} {value.Total}"))
            {
                note($"fetching {value.Repo.Id}: {value.Files} files, {DiskRoom.Size(value.Total - value.Done)}");
            }
        }
    }
}
