using System.Security.Cryptography;
using System.Text;
using Fovea.Nn;
using Fovea.Nn.FourBit;
using Fovea.Tensors;

namespace Fovea.Models.Vocabularies;

/// <summary>
/// A model's weights with rows for new tokens in embeddings and head. How these begin depends on the folder and the tokens alone, so that whoever loads both
/// has the same model; rows beyond the last token are zero.
/// </summary>
internal sealed class EnlargedSource(IWeightSource inner, Vocabulary vocabulary) : IWeightSource
{
    private const string Embeddings = "embed_tokens.weight";
    private const string Head = "lm_head.weight";

    // Rows that are widened to fp32 at a time.
    private const long Rows = 8192;

    public IReadOnlyCollection<string> Names => inner.Names;

    public bool Has(string name) => inner.Has(name);

    public long[]? ShapeOf(string name) => inner.ShapeOf(name) is { } shape && IsTable(name) ? [vocabulary.Rows, .. shape[1..]] : inner.ShapeOf(name);

    /// <summary>Tables are unpacked: rows are added to them.</summary>
    public bool IsFourBit(string name) => !IsTable(name) && inner.IsFourBit(name);

    public StoredFourBit ReadFourBit(string name, long[] shape) => inner.ReadFourBit(name, shape);

    public Tensor Read(string name, long[] shape)
    {
        if (!IsTable(name))
        {
            return inner.Read(name, shape);
        }

        using var grad = Autograd.NoGrad();
        var (width, more) = (shape[1], vocabulary.Rows - vocabulary.OldRows);
        var stored = inner.Read(name, [vocabulary.OldRows, width]);
        var table = more == 0 ? stored.Clone() : ShapeOps.Cat([stored, CreateOps.Zeros([more, width], stored.DType)]);
        using var scope = TensorScope.Open("new tokens");
        var mean = Mean(stored);
        foreach (var id in vocabulary.NewIds)
        {
            table.Select(0, id).Copy_(Begin(name, id, mean));
        }

        return table;
    }

    private static bool IsTable(string name) => name.EndsWith(Embeddings, StringComparison.Ordinal) || name.EndsWith(Head, StringComparison.Ordinal);

    private Tensor Begin(string name, int id, Tensor mean)
    {
        var row = mean;
        if (vocabulary.Start != TokenStart.NoiseInit)
        {
            var words = vocabulary.Descriptions.GetValueOrDefault(id, [])
                .Where(word => word < vocabulary.OldRows && !vocabulary.NewIds.Contains(word)).ToArray();
            row = words.Length == 0 ? mean : Described(name, words, mean.Count);
        }

        return vocabulary.Start == TokenStart.DescInit && !ReferenceEquals(row, mean) ? row : row.Add(Noise(name, id, (int)mean.Count));
    }

    /// <summary>As LLaMA-Factory, of the embeddings also for the head.</summary>
    private Tensor Described(string name, int[] words, long width)
    {
        var table = name.EndsWith(Head, StringComparison.Ordinal) ? inner.Names.First(other => other.EndsWith(Embeddings, StringComparison.Ordinal)) : name;
        var rows = inner.Read(table, [vocabulary.OldRows, width]);
        return rows.IndexSelect(0, CreateOps.From(Array.ConvertAll(words, word => (long)word))).To(DType.F32).Mean(0);
    }

    /// <summary>Normal numbers of deviation 1/sqrt(width), by table and token.</summary>
    private Tensor Noise(string name, int id, int width)
    {
        var table = name.EndsWith(Head, StringComparison.Ordinal) ? Head : Embeddings;
        var key = BitConverter.ToUInt64(SHA256.HashData(Encoding.UTF8.GetBytes($"{table}\0{vocabulary.Tokenizer.TokenOf(id)}\0{id}")));
        var numbers = new float[width];
        for (var i = 0; i < width; i++)
        {
            var (first, second) = (Uniform(key, 2 * (ulong)i), Uniform(key, (2 * (ulong)i) + 1));
            numbers[i] = (float)(Math.Sqrt(-2 * Math.Log(first)) * Math.Cos(2 * Math.PI * second) / Math.Sqrt(width));
        }

        return CreateOps.From(numbers);
    }

    /// <summary>In (0, 1].</summary>
    private static double Uniform(ulong key, ulong counter) => ((SplitMix.Mix(key, counter) >> 11) + 1) * (1.0 / (1UL << 53));

    /// <summary>Of the rows that were there, new tokens' aside.</summary>
    private Tensor Mean(Tensor stored)
    {
        var sum = CreateOps.Zeros([stored.Size(1)], DType.F64);
        for (var start = 0L; start < stored.Size(0); start += Rows)
        {
            using var scope = TensorScope.Open("block");
            sum.Add_(stored.Slice(0, start, Math.Min(stored.Size(0), start + Rows)).To(DType.F64).Sum(0));
        }

        var taken = vocabulary.NewIds.Where(id => id < vocabulary.OldRows).ToList();
        foreach (var id in taken)
        {
            sum.Add_(stored.Select(0, id).To(DType.F64), -1);
        }

        return sum.Mul(1.0 / (vocabulary.OldRows - taken.Count)).To(DType.F32);
    }
}
