using Fovea.Nn;

namespace Fovea.Distributed;

/// <summary>What is brought together at one time: the flat buffers of one block of the model, of its head, or of the rest.</summary>
/// <param name="block">Null for the head and the rest.</param>
/// <param name="resident">Whether its weights are whole all the time, so that nothing is brought.</param>
internal sealed class ShardUnit(string name, Block? block, IReadOnlyList<FlatShard> flats, bool resident) : IDisposable
{
    private readonly List<CollectiveHandle> coming = [];
    private bool held;

    public string Name => name;

    /// <summary>Whether its weights are whole all the time.</summary>
    public bool IsResident => resident;

    /// <summary>Its backward needs no weights.</summary>
    public bool IsLookup => block?.Kind == BlockKind.Lookup;

    /// <summary>It does not run for text alone.</summary>
    public bool NeedsImages => block is { Part: not ModelPart.Language };

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
    public void ReleaseStorage()
    {
        if (!held)
        {
            return;
        }

        Wait();
        held = false;
        foreach (var flat in flats)
        {
            flat.ReleaseStorage();
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
