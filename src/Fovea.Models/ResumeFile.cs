using Fovea.Files.Pickle;
using Fovea.Tensors;

namespace Fovea.Models;

/// <summary>
/// What a family's own training scripts saved to go on from: where they stood, and of everything that learns its value and AdamW's moments, by the ledger's
/// names. The file stays mapped until it is disposed.
/// </summary>
internal sealed class ResumeFile(PickleFile file, IReadOnlyDictionary<string, ResumeWeight> weights) : IDisposable
{
    public string Path => file.Path;

    /// <summary>The epoch it stands in, from 0.</summary>
    public required int Epoch { get; init; }

    /// <summary>Batches of one rank that are done in that epoch.</summary>
    public required int Batches { get; init; }

    /// <summary>Ranks that trained.</summary>
    public required int Ranks { get; init; }

    /// <summary>What the scripts seed the order of an epoch's samples with, plus the epoch's number.</summary>
    public required int OrderSeed { get; init; }

    /// <summary>The factor of the loss in fp16; null in other types.</summary>
    public double? LossScale { get; init; }

    /// <summary>Steps without overflow since the factor last changed.</summary>
    public int GoodSteps { get; init; }

    /// <summary>What its optimizer was set to, as PyTorch names it: <c>weight_decay</c>, <c>beta1</c>, <c>beta2</c>, <c>eps</c>.</summary>
    public required IReadOnlyDictionary<string, double> Settings { get; init; }

    /// <summary>Updates that the optimizer has made.</summary>
    public int Updates => (int)weights.Values.Max(weight => weight.Updates);

    /// <param name="read">Makes it of the opened file.</param>
    /// <exception cref="CheckpointException">The file is missing, damaged or another kind of file.</exception>
    public static ResumeFile Open(string path, Func<PickleFile, ResumeFile> read)
    {
        var file = PickleFile.Open(path);
        try
        {
            return read(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>A part of what is saved of a weight, row by row; it belongs to the open scope. Moments of a weight that was never updated are zero.</summary>
    /// <param name="weight">One that learns, by the ledger's name.</param>
    /// <param name="what"><c>master</c> for its value, <c>exp_avg</c>, <c>exp_avg_sq</c>, or <c>step</c> for the count of its updates, a single number.</param>
    /// <param name="start">The first element wanted among the flattened ones.</param>
    /// <returns>Of whatever floating-point type the file has, [count] or, for <c>step</c>, fp32 [1].</returns>
    public Tensor Read(string weight, string what, long start, long count)
    {
        var saved = weights[weight];
        return what switch
        {
            "step" => CreateOps.Full([1], saved.Updates),
            "master" => Part(saved.Value),
            "exp_avg" => saved.Mean is { } mean ? Part(mean) : CreateOps.Zeros([count]),
            "exp_avg_sq" => saved.Variance is { } variance ? Part(variance) : CreateOps.Zeros([count]),
            _ => throw new CheckpointException($"{Path} has no {what} of {weight}"),
        };

        Tensor Part(PickledTensor tensor)
        {
            var entry = file.Contiguous(weight, tensor);
            entry.Memory.AddRef();
            return CreateOps.FromMemory(entry.Address, entry.Shape, entry.DType, entry.Memory.Release).View(-1).Slice(0, start, start + count);
        }
    }

    public void Dispose() => file.Dispose();
}
