using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniMindV;

/// <summary>
/// A mixture of gated MLPs: a router picks the experts of each token (arXiv 2101.03961, with several a token and a shared expert as in arXiv 2401.06066).
/// Tokens are sorted by expert, so that each expert is three products over a stretch of rows.
/// </summary>
/// <remarks>Suffixes: T tokens, R rows (a token and one of its experts), E width, N experts, K experts a token.</remarks>
internal sealed class ExpertRouter
{
    private readonly MiniMindVConfig config;
    private readonly bool roundsToHalf;
    private readonly Linear gate;
    private readonly GatedMlp[] experts;
    private readonly GatedMlp? shared;

    /// <param name="original">Repeat the rounding of the published training code.</param>
    public ExpertRouter(Weights w, MiniMindVConfig config, bool original)
    {
        this.config = config;
        roundsToHalf = original && config.Generation == MiniMindVGeneration.A;
        gate = new Linear(w / "gate", config.HiddenSize, config.Experts, bias: false);
        experts = new GatedMlp[config.Experts];
        for (var i = 0; i < experts.Length; i++)
        {
            experts[i] = new GatedMlp(w / "experts" / i, config.HiddenSize, config.IntermediateSize, bias: false);
        }

        shared = config.SharedExpert ? new GatedMlp(w / "shared_experts", config.HiddenSize, config.IntermediateSize, bias: false) : null;
    }

    /// <param name="x_TE">Normalised hidden states of all tokens, which all count in the auxiliary loss.</param>
    /// <param name="input">Takes the auxiliary loss (<see cref="ModelInput.Side"/>), if it is training, and knows what that is a mean of.</param>
    /// <param name="wanted_L">Tokens whose results are wanted; null for all.</param>
    /// <returns>[T, E] or [L, E]</returns>
    public Tensor Forward(Tensor x_TE, ModelInput input, Tensor? wanted_L)
    {
        var training = input.Side is not null;
        var scores_TN = gate.Forward(x_TE).Softmax(1, DType.F32);
        var (weights_TK, experts_TK) = Choose(scores_TN);
        var chosen = ExpertRows.ChosenIn(experts_TK, config.Experts);
        if (training)
        {
            input.Side!.Add(scores_TN.Mul(Loads(chosen, input).To(scores_TN.Device)).Sum());
        }

        if (wanted_L is not null)
        {
            x_TE = x_TE.IndexSelect(0, wanted_L);
            weights_TK = weights_TK.IndexSelect(0, wanted_L);
            chosen = ExpertRows.Of(chosen, wanted_L, config.ExpertsPerToken);
        }

        var y_TE = Mix(x_TE, weights_TK, chosen, training);
        return shared is null ? y_TE : y_TE.Add(shared.Forward(x_TE));
    }

    private (Tensor Weights_TK, Tensor Experts_TK) Choose(Tensor scores_TN)
    {
        var (values, indices) = scores_TN.Sort(1, descending: true);
        var weights_TK = values.Slice(1, 0, config.ExpertsPerToken);
        if (config.NormaliseTopK && (config.ExpertsPerToken > 1 || config.Generation == MiniMindVGeneration.C))
        {
            weights_TK = weights_TK.Div(weights_TK.Sum(1, keepDim: true).Add(1e-20));
        }

        return (weights_TK, indices.Slice(1, 0, config.ExpertsPerToken).Contiguous());
    }

    /// <summary>
    /// What each score counts in the auxiliary loss [T, N]: of its group, the share of choices that fell on its expert, times the number of experts;
    /// the mean of the scores is in it.
    /// </summary>
    private Tensor Loads(long[] chosen, ModelInput input)
    {
        var (n, k) = (config.Experts, config.ExpertsPerToken);
        var counts = new double[input.Groups.Count * n];
        for (var g = 0; g < input.Groups.Count; g++)
        {
            for (var i = input.Groups[g].Start * k; i < input.Groups[g].End * k; i++)
            {
                counts[(g * n) + chosen[i]]++;
            }
        }

        counts = input.Attention.Total("the choices of experts", counts);
        var loads = new float[chosen.Length / k * n];
        for (var g = 0; g < input.Groups.Count; g++)
        {
            // Generation A divides by the choices of a token, C adds them up.
            var (group, tokens) = (input.Groups[g], (double)input.Groups[g].Tokens);
            var factor = group.Weight * config.AuxiliaryFactor * n / tokens / tokens / (config.Generation == MiniMindVGeneration.A ? k : 1);
            for (var i = group.Start * n; i < group.End * n; i++)
            {
                loads[i] = (float)(factor * counts[(g * n) + (i % n)]);
            }
        }

        return CreateOps.From(loads, loads.Length / n, n);
    }

    private Tensor Mix(Tensor x_TE, Tensor weights_TK, long[] chosen, bool training)
    {
        return new ExpertRows(chosen, config.Experts, config.ExpertsPerToken, x_TE.Device).Mix(x_TE, weights_TK, Experts);

        Tensor Experts(Tensor x_RE, long[] starts)
        {
            var y_RE = GatedMlp.Grouped(x_RE, experts, starts);
            return roundsToHalf && training ? y_RE.To(DType.F16).To(x_TE.DType) : y_RE;
        }
    }
}
