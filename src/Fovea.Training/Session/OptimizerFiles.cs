using System.Globalization;
using System.Text.RegularExpressions;
using Fovea.Files.Safetensors;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Tensors;
using Fovea.Training.Optim;

namespace Fovea.Training.Session;

/// <summary>
/// The optimizer's state in a checkpoint: one file, or one a rank with the parts of weights that fell to it, <c>NAME@FIRST</c> from its first
/// element on. However it was written, any number of ranks reads it: each takes the elements that it needs from wherever they are.
/// </summary>
internal sealed partial class OptimizerFiles : IDisposable
{
    private const string WholeFile = "optimizer.safetensors";
    private const string RandomState = "rng_state";

    private readonly string folder;
    private readonly List<Checkpoint> files;
    private readonly Dictionary<string, List<(long First, TensorEntry Entry)>> pieces = new(StringComparer.Ordinal);

    private OptimizerFiles(string folder, List<Checkpoint> files)
    {
        this.folder = folder;
        this.files = files;
        foreach (var (name, entry) in files.SelectMany(file => file.Tensors))
        {
            var at = name.LastIndexOf('@');
            var known = at < 0 ? name : name[..at];
            var first = at < 0 ? 0 : long.Parse(name[(at + 1)..], CultureInfo.InvariantCulture);
            if (!pieces.TryGetValue(known, out var list))
            {
                pieces.Add(known, list = []);
            }

            list.Add((first, entry));
        }

        foreach (var list in pieces.Values)
        {
            list.Sort((a, b) => a.First.CompareTo(b.First));
        }
    }

    /// <summary>Writes what one rank's optimizer has.</summary>
    /// <param name="parts">Files there will be; 1 where this is all.</param>
    public static void Write(string folder, IOptimizer optimizer, int rank, int parts)
    {
        using var scope = TensorScope.Open("step");
        var sources = optimizer.State
            .Select(s => TensorBytes.Source(s.Part.IsWhole ? s.Name : string.Create(CultureInfo.InvariantCulture, $"{s.Name}@{s.Part.Start}"), s.Value))
            .ToList();
        if (rank == 0)
        {
            sources.Add(TensorBytes.Source(RandomState, Torch.RngState()));
        }

        var name = parts == 1 ? WholeFile : string.Create(CultureInfo.InvariantCulture, $"optimizer-{rank + 1:00000}-of-{parts:00000}.safetensors");
        SafetensorsWriter.Write(Path.Combine(folder, name), sources);
    }

    /// <summary>Whether a folder has any.</summary>
    public static bool AreIn(string folder) => Directory.EnumerateFiles(folder, "optimizer*.safetensors").Any();

    /// <exception cref="CheckpointException">There are none, or not all of them.</exception>
    public static OptimizerFiles Open(string folder)
    {
        List<string> paths = [];
        if (File.Exists(Path.Combine(folder, WholeFile)))
        {
            paths.Add(Path.Combine(folder, WholeFile));
        }
        else
        {
            paths.AddRange(Directory.EnumerateFiles(folder, "optimizer-*.safetensors").Where(path => PartName().IsMatch(path)).Order(StringComparer.Ordinal));
            var wanted = paths.Count == 0 ? 1 : int.Parse(PartName().Match(paths[0]).Groups[1].Value, CultureInfo.InvariantCulture);
            if (paths.Count != wanted)
            {
                throw new CheckpointException(paths.Count == 0
                    ? $"{folder} has no {WholeFile}: it cannot be resumed"
                    : $"{folder} has {paths.Count} of the {wanted} files of its optimizer: every rank writes its own; copy them together");
            }
        }

        List<Checkpoint> open = [];
        try
        {
            foreach (var path in paths)
            {
                open.Add(Checkpoint.Open(path));
            }

            return new OptimizerFiles(folder, open);
        }
        catch
        {
            open.ForEach(file => file.Dispose());
            throw;
        }
    }

    /// <summary>As many elements in a row as the state has; they belong to the open scope.</summary>
    /// <exception cref="CheckpointException">They are not all there.</exception>
    public Tensor Read(OptimizerState state)
    {
        if (!pieces.TryGetValue(state.Name, out var list))
        {
            throw new CheckpointException($"the saved optimizer in {folder} has no {state.Name}: was it another model or adapter?");
        }

        if (state.IsShared)
        {
            var shared = Map(list[0].Entry);
            return shared.Count == state.Value.Count ? shared : throw new CheckpointException(
                $"optimizer {state.Name} in {folder}: {state.Value.Count} numbers are needed, it has {shared.Count}");
        }

        List<Tensor> found = [];
        var (at, end) = (state.Part.Start / state.Block, (state.Part.Start + state.Part.Count + state.Block - 1) / state.Block);
        var (wanted, needed) = (at, end - at);
        foreach (var (element, entry) in list)
        {
            var first = element / state.Block;
            var last = first + entry.Shape.Aggregate(1L, (product, size) => product * size);
            if (first <= at && at < last && at < end)
            {
                var to = Math.Min(last, end);
                found.Add(Map(entry).View(-1).Slice(0, at - first, to - first));
                at = to;
            }
        }

        var whole = list.Sum(piece => piece.Entry.Shape.Aggregate(1L, (product, size) => product * size));
        if (at != end || (state.Part.IsWhole && whole != needed))
        {
            throw new CheckpointException($"optimizer {state.Name} in {folder}: elements {wanted} to {end} are needed, it has {whole} in all");
        }

        return found.Count == 1 ? found[0] : ShapeOps.Cat([.. found]);
    }

    /// <summary>Gives a model the weights that were learned, as far as they are here in full.</summary>
    /// <returns>How many there were.</returns>
    public int Overlay(Ledger ledger)
    {
        var count = 0;
        foreach (var parameter in ledger.Parameters.Where(p => pieces.ContainsKey($"{p.Name}.master")))
        {
            using var scope = TensorScope.Open("weight");
            var part = new ParameterShard(parameter);
            var master = Read(new OptimizerState($"{parameter.Name}.master", part, parameter.Value)).View(parameter.Shape);
            parameter.Replace(master.To(parameter.Value.DType).Clone().Keep());
            count++;
        }

        return count;
    }

    /// <summary>Sets the random numbers to where they were.</summary>
    public void RestoreRandom()
    {
        using var scope = TensorScope.Open("step");
        Torch.SetRngState(Map(pieces[RandomState][0].Entry).Clone());
    }

    public void Dispose() => files.ForEach(file => file.Dispose());

    private static Tensor Map(TensorEntry entry)
    {
        entry.Memory.AddRef();
        return CreateOps.FromMemory(entry.Address, entry.Shape, entry.DType, entry.Memory.Release);
    }

    [GeneratedRegex(@"optimizer-\d{5}-of-(\d{5})\.safetensors$")]
    private static partial Regex PartName();
}
