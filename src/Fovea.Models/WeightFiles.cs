using Fovea.Files.Safetensors;
using Fovea.Nn;
using Fovea.Nn.FourBit;
using Fovea.Tensors;

namespace Fovea.Models;

/// <summary>
/// The weights of a model whose folder holds several files: each opened, its names turned into the ledger's. What none of them has may be made
/// afresh where the family says how; what no layer asks for is noted, not refused.
/// </summary>
internal sealed class WeightFiles : IWeightSource, IDisposable
{
    private readonly List<Checkpoint> files = [];
    private readonly List<CheckpointSource> sources = [];
    private readonly Func<string, long[], Tensor?>? fresh;
    private readonly Func<string, bool> canBeFresh;
    private readonly List<string> wrappers = [];
    private readonly SortedSet<string> made = new(StringComparer.Ordinal);

    /// <param name="parts">Path of a file or folder, and the ledger's spelling of its names; null leaves a tensor out.</param>
    /// <param name="canBeFresh">Whether a weight that no file has may be made afresh.</param>
    /// <param name="fresh">Makes it, by name and shape.</param>
    public WeightFiles(
        IReadOnlyList<(string Path, Func<string, string?> Canonical)> parts, Func<string, bool>? canBeFresh = null, Func<string, long[], Tensor?>? fresh = null)
    {
        this.canBeFresh = canBeFresh ?? (_ => false);
        this.fresh = fresh;
        try
        {
            foreach (var (path, canonical) in parts)
            {
                files.Add(Checkpoint.Open(path));
                var wrapped = WrapperNames.In(files[^1]);
                wrappers.AddRange(wrapped.Notice is { } notice ? [notice] : []);
                sources.Add(new CheckpointSource(files[^1], name => canonical(wrapped.Plain(name))));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>None: what is left over is told by <see cref="Notices"/>.</summary>
    public IReadOnlyCollection<string> Names => [];

    /// <summary>What the files hold, in the ledger's spelling, whether a layer asks for it or not.</summary>
    public IEnumerable<string> Held => sources.SelectMany(source => source.Names);

    /// <summary>The element type of the first file's weights; fp32 where there are several.</summary>
    public DType StoredType =>
        files[0].Tensors.Values.Select(entry => entry.DType).Distinct().ToList() is [var one and (DType.F16 or DType.BF16)] ? one : DType.F32;

    /// <summary>All of it.</summary>
    internal IReadOnlyList<Checkpoint> Files => files;

    public bool Has(string name) => sources.Any(source => source.Has(name)) || canBeFresh(name);

    public bool IsFourBit(string name) => sources.Find(source => source.Has(name))?.IsFourBit(name) == true;

    public StoredFourBit ReadFourBit(string name, long[] shape) => sources.First(source => source.Has(name)).ReadFourBit(name, shape);

    public Tensor Read(string name, long[] shape)
    {
        if (sources.FirstOrDefault(source => source.Has(name)) is { } source)
        {
            return source.Read(name, shape);
        }

        made.Add(name);
        return fresh!(name, shape)!;
    }

    /// <summary>What did not fit one to one, in sentences.</summary>
    /// <param name="ignored">Names that may stay unused without a word.</param>
    public IReadOnlyList<string> Notices(Ledger ledger, Func<string, bool> ignored)
    {
        var notices = new List<string>(wrappers);
        if (made.Count > 0)
        {
            notices.Add($"{made.Count} weights are in no file and begin afresh: {Few(made)}");
        }

        for (var i = 0; i < files.Count; i++)
        {
            var left = sources[i].Names.Where(name => !ledger.Contains(name) && !ignored(name)).Order(StringComparer.Ordinal).ToList();
            if (left.Count > 0)
            {
                notices.Add($"{files[i].Path}: {left.Count} weights are not part of the model and are left out: {Few(left)}");
            }
        }

        return [.. notices, .. files.SelectMany(file => file.Notices)];
    }

    public void Dispose() => files.ForEach(file => file.Dispose());

    private static string Few(IReadOnlyCollection<string> names) => string.Join(", ", names.Take(8)) + (names.Count > 8 ? ", ..." : string.Empty);
}
