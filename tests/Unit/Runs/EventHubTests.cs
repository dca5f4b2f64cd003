using Fovea.Events;
using Fovea.Runs.Events;

namespace Fovea.Tests.Unit.Runs;

public sealed class EventHubTests
{
    [Fact]
    public void A_broken_sink_is_switched_off_and_reported_once_to_the_others()
    {
        var (broken, good) = (new Broken(), new Recorder());
        using var hub = new EventHub(broken, good);

        hub.Write(new Notice("one"));
        hub.Write(new Notice("two"));

        Assert.Equal(["Notice one", "Warning Broken stopped working and was switched off: disk full", "Notice two"], good.Seen);
        Assert.Equal((1, true), (broken.Calls, broken.Closed));
    }

    [Fact]
    public void When_every_sink_is_broken_the_run_goes_on()
    {
        using var hub = new EventHub(new Broken(), new Broken());

        hub.Write(new Notice("one"));
        hub.Write(new Notice("two"));
    }

    [Fact]
    public void Closing_the_hub_closes_its_sinks()
    {
        var broken = new Broken();
        new EventHub(broken).Dispose();
        Assert.True(broken.Closed);
    }

    private sealed class Recorder : IEventSink
    {
        public List<string> Seen { get; } = [];

        public void Write(RunEvent e) => Seen.Add(e switch { Notice n => $"Notice {n.Text}", Warning w => $"Warning {w.Text}", _ => e.GetType().Name });
    }

    private sealed class Broken : IEventSink, IDisposable
    {
        public int Calls { get; private set; }

        public bool Closed { get; private set; }

        public void Write(RunEvent e)
        {
            Calls++;
            throw new IOException("disk full");
        }

        public void Dispose()
        {
            Closed = true;
            throw new IOException("disk still full");
        }
    }
}
