using System.Globalization;
using Fovea.Tensors;

namespace Fovea.Nn.Lora;

/// <summary>How the matrices of an adapter begin, by the words of PEFT's <c>init_lora_weights</c>.</summary>
/// <param name="Iterations">For PiSSA: power iterations of a randomised decomposition; null decomposes the whole weight.</param>
internal sealed record LoraStart(LoraStartKind Kind, int? Iterations = null)
{
    private const string Iterated = "pissa_niter_";

    public static LoraStart Plain { get; } = new(LoraStartKind.Plain);

    /// <summary>Whether the adapter begins with a part of the weight, which then learns over what is left of that.</summary>
    public bool ChangesBase => Kind is LoraStartKind.Pissa or LoraStartKind.Olora;

    /// <summary>PEFT's word for it.</summary>
    public string Name => Kind switch
    {
        LoraStartKind.Plain => "true",
        LoraStartKind.Pissa when Iterations is { } count => string.Create(CultureInfo.InvariantCulture, $"{Iterated}{count}"),
        _ => Kind.ToString().ToLowerInvariant(),
    };

    /// <summary>What begins so; null for a word that is none of these.</summary>
    public static LoraStart? Parse(string word)
    {
        word = word.ToLowerInvariant();
        return word.StartsWith(Iterated, StringComparison.Ordinal)
            ? int.TryParse(word[Iterated.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var count)
                ? new LoraStart(LoraStartKind.Pissa, count)
                : null
            : word switch
            {
                "true" => Plain,
                "gaussian" => new LoraStart(LoraStartKind.Gaussian),
                "orthogonal" => new LoraStart(LoraStartKind.Orthogonal),
                "pissa" => new LoraStart(LoraStartKind.Pissa),
                "olora" => new LoraStart(LoraStartKind.Olora),
                _ => null,
            };
    }

    /// <summary>Fills the matrices of a fresh adapter, from the weight as it stands where it begins with a part of that.</summary>
    /// <param name="own">The rank and scale of this adapter.</param>
    /// <param name="a">[r, in], zero.</param>
    /// <param name="b">[out, r], zero.</param>
    public void Fill(Adaptable target, LoraOptions own, Tensor a, Tensor b)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("weight");
        switch (Kind)
        {
            case LoraStartKind.Plain:
                var bound = 1 / Math.Sqrt(target.Inputs);
                a.Uniform_(-bound, bound);
                break;
            case LoraStartKind.Gaussian:
                a.Normal_(0, 1.0 / own.Rank);
                break;
            case LoraStartKind.Orthogonal:
                Orthogonal(target, own.Rank, a, b);
                break;
            default:
                var (first, second) = Factors(target, own, a.Device);
                a.Copy_(first);
                b.Copy_(second);
                break;
        }
    }

    /// <summary>What is wrong with such a beginning for some of the weights, and what to do about it; null where nothing is.</summary>
    /// <param name="targets">Each with its own rank.</param>
    public string? Problem(IEnumerable<(Adaptable Target, LoraOptions Own)> targets)
    {
        var wrong = targets.Where(one => Kind == LoraStartKind.Orthogonal ? one.Own.Rank % 2 != 0 : ChangesBase && one.Own.Rank > Side(one.Target)).ToList();
        if (wrong.Count == 0)
        {
            return null;
        }

        if (Kind == LoraStartKind.Orthogonal)
        {
            var odd = wrong.Select(one => $"{LastName(one.Target)} ({one.Own.Rank})").Distinct();
            return $"{Name} needs even ranks, and these are odd: {string.Join(", ", odd)}; change lora_rank, or their entries in rank_pattern";
        }

        var small = wrong.Select(one => $"{LastName(one.Target)} [{one.Target.Outputs}, {one.Target.Inputs}] (rank {one.Own.Rank})").Distinct();
        var most = wrong.GroupBy(one => LastName(one.Target), one => Side(one.Target)).ToDictionary(same => same.Key, same => same.Min());
        return $"{Name} takes as many directions out of a weight as its rank says, and these have fewer: {string.Join(", ", small)}; "
            + $"give them no adapters (exclude_modules: [{string.Join(", ", most.Keys)}]), ranks of their own "
            + $"(rank_pattern: {{{string.Join(", ", most.Select(pair => $"{pair.Key}: {pair.Value}"))}}}), "
            + $"or all a smaller one (lora_rank: {most.Values.Min()})";
    }

    /// <summary>The matrices of an adapter that begins with a part of its weight as that stands, in the open scope.</summary>
    public (Tensor A, Tensor B) Factors(Adaptable target, LoraOptions own, Device device) =>
        Factors(target.Weight.Stored().To(target.Weight.Compute).To(device).To(DType.F32), own.Rank, own.Scale);

    /// <summary>A [r, in] and B [out, r] whose scaled product is the part of the weight with which an adapter begins.</summary>
    /// <param name="weight">[out, in], fp32</param>
    /// <param name="draw">The random directions of PiSSA with iterations, [min(out, in), r]; null draws them.</param>
    internal (Tensor A, Tensor B) Factors(Tensor weight, int rank, double scale, Tensor? draw = null)
    {
        if (Kind == LoraStartKind.Olora)
        {
            var (q, r) = weight.Qr();
            return (r.Slice(0, 0, rank).Contiguous(), q.Slice(1, 0, rank).Contiguous());
        }

        var (u, s, v) = Iterations is { } iterations
            ? LowRank(weight, iterations, draw ?? CreateOps.Empty([Math.Min(weight.Size(0), weight.Size(1)), rank]).Normal_(0, 1))
            : weight.Svd();
        var root_R = s.Slice(0, 0, rank).Mul(1 / scale).Pow(0.5);
        return (v.Slice(0, 0, rank).Mul(root_R.Unsqueeze(1)), u.Slice(1, 0, rank).Mul(root_R));
    }

    /// <summary>The most directions that a weight has.</summary>
    private static long Side(Adaptable target) => Math.Min(target.Inputs, target.Outputs);

    /// <summary>The end of its path that names it: one part, or two where a number alone would stand there.</summary>
    private static string LastName(Adaptable target)
    {
        var parts = target.Path.Split('.');
        return parts.Length > 1 && char.IsAsciiDigit(parts[^1][0]) ? $"{parts[^2]}.{parts[^1]}" : parts[^1];
    }

    /// <summary>The largest singular values by subspace iteration (arXiv 0909.4061, algorithms 4.4 and 5.1), as <c>torch.svd_lowrank</c> has it.</summary>
    /// <param name="draw">Where it begins [min(m, n), r].</param>
    private static (Tensor U, Tensor S, Tensor V) LowRank(Tensor x, int iterations, Tensor draw)
    {
        var isWide = x.Size(0) < x.Size(1);
        var tall = isWide ? x.Transpose() : x;
        var q = tall.MatMul(draw.To(x.Device)).Qr().Q;
        for (var i = 0; i < iterations; i++)
        {
            q = tall.Transpose().MatMul(q).Qr().Q;
            q = tall.MatMul(q).Qr().Q;
        }

        var (u, s, v) = q.Transpose().MatMul(tall).Svd();
        u = q.MatMul(u);
        return isWide ? (v.Transpose(), s, u.Transpose()) : (u, s, v);
    }

    private static void Orthogonal(Adaptable target, int rank, Tensor a, Tensor b)
    {
        var q = CreateOps.Empty([rank, rank]).Normal_(0, 1).Qr().Q.View(rank / 2, 2, rank);
        var first = CreateOps.Empty([target.Inputs, rank / 2]).Normal_(0, 1).MatMul(q.Select(1, 0)).Transpose().Mul(0.1);
        a.Copy_(first);
        b.Copy_(CreateOps.Empty([rank / 2, target.Outputs]).Normal_(0, 1).Transpose().MatMul(q.Select(1, 1)).Mul(0.1));
    }
}
