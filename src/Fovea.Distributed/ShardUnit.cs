using Fovea.Nn;

namespace Fovea.Distributed;

/// <summary>What is brought together at one time: the flat buffers of one stretch of the model.</summary>
/// <param name="resident">Whether its weights are whole all the time, so that nothing is brought.</param>
internal sealed class ShardUnit(GatherUnit unit, IReadOnlyList<FlatShard> flats, bool resident) : IDisposable
{
    private readonly List<Pending> coming = [];
    private bool held;

    public string Name => unit.Name;

    /// <summary>Whether its weights are whole all the time.</summary>
    public bool IsResident => resident;

    public bool IsLookup => unit.IsLookup;

    public bool NeedsImages => unit.NeedsImages;

    public IReadOnlyList<FlatShard> Flats => flats;

    public bool Learns { get; } = flats.Any(flat => flat.Learns);

    /// <summary>Starts to bring the weights.</summary>
    public void Start()
    {
        if (!resident && !held)
        {
            held = true;
            coming.AddRange(flats.Select(flat => flat.Gather()));
        }
    }

    /// <summary>Waits until they are there.</summary>
    public void Wait()
    {
        if (coming.Count == 0)
        {
            return;
        }

        using var span = Profile.Open("wait for weights");
        foreach (var pending in coming)
        {
            pending.Wait();
        }

        coming.Clear();
        foreach (var flat in flats)
        {
            flat.Arrive();
        }
    }

    /// <summary>Frees what was brought; what is still coming is awaited, because it is written into that memory.</summary>
    public void LetGo()
    {
        if (!held)
        {
            return;
        }

        Wait();
        held = false;
        foreach (var flat in flats)
        {
            flat.LetGo();
        }
    }

    public void Dispose()
    {
        coming.ForEach(pending => pending.Dispose());
        foreach (var flat in flats)
        {
            flat.Dispose();
        }
    }
}
