using System.Globalization;
using Fovea.Hub.Fetching;

namespace Fovea.Cli.Views;

/// <summary>How far a fetch is: a line that changes in a terminal, and one at every tenth elsewhere.</summary>
internal sealed class FetchProgress : IProgress<HubProgress>
{
    private readonly TextWriter to;
    private readonly bool terminal;
    private readonly Lock access = new();
    private long tenth = -1;

    private FetchProgress(TextWriter to, bool terminal) => (this.to, this.terminal) = (to, terminal);

    public static FetchProgress On(TextWriter to) => new(to, to == Console.Error && !Console.IsErrorRedirected);

    public void Report(HubProgress value)
    {
        lock (access)
        {
            if (value.Note is { } note)
            {
                to.WriteLine($"{value.Repo.Id}: {note}");
                return;
            }

            var share = value.Total == 0 ? 10 : 10 * value.Done / value.Total;
            var line = string.Create(
                CultureInfo.InvariantCulture, $"{value.Repo.Id}: {value.Files} files, {DiskRoom.Size(value.Done)} of {DiskRoom.Size(value.Total)}");
            if (terminal)
            {
                to.Write($"\r\e[K{line}{(value.Done == value.Total ? "\n" : string.Empty)}");
            }
            else if (share != tenth)
            {
                to.WriteLine(line);
            }

            tenth = share;
        }
    }
}
