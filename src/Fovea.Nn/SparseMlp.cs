using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// A mixture of gated MLPs: a router scores the experts for each token; the best few are computed and weighed by their shares of the scores that they have
/// together. Some models have an expert beside them that every token goes to.
/// </summary>
/// <remarks>Suffixes: T tokens, L wanted ones, E width, N experts, K experts of a token.</remarks>
internal sealed class SparseMlp
{
    private readonly ExpertShape shape;
    private readonly Parameter router;
    private readonly ExpertLinears gateUp;
    private readonly ExpertLinears down;
    private readonly SharedExpert? shared;

    public SparseMlp(Weights w, long width, ExpertShape shape)
    {
        this.shape = shape;
        var experts = w / "experts";
        var inputsFirst = InputsFirst(experts, width, shape);
        router = (w / "gate").Take("weight", shape.Count, width);
        gateUp = new ExpertLinears(experts, "gate_up_proj", shape.Count, width, 2L * shape.Inner, inputsFirst);
        down = new ExpertLinears(experts, "down_proj", shape.Count, shape.Inner, width, inputsFirst);
        shared = shape.SharedInner > 0 ? new SharedExpert(w, width, shape.SharedInner) : null;
    }

    /// <param name="x_TE">Normalised hidden states of all tokens, which all count in the router's loss.</param>
    /// <param name="balance">Takes what the router's loss is made of; null where none is wanted.</param>
    /// <param name="wanted_L">Tokens whose results are wanted; null for all.</param>
    /// <param name="watch">Sees the router's logits, weights and choices, and the shared expert; for tests.</param>
    /// <returns>[T, E] or [L, E]</returns>
    public Tensor Forward(Tensor x_TE, RouterBalance? balance = null, Tensor? wanted_L = null, Action<string, Tensor>? watch = null)
    {
        var logits_TN = x_TE.Linear(router.Use());
        var scores_TN = logits_TN.Softmax(1, DType.F32);
        var (sorted, order) = scores_TN.Sort(1, descending: true);
        var best_TK = sorted.Slice(1, 0, shape.PerToken);
        var weights_TK = best_TK.Div(best_TK.Sum(1, keepDim: true));
        var experts_TK = order.Slice(1, 0, shape.PerToken).Contiguous();
        watch?.Invoke("router_logits", logits_TN);
        watch?.Invoke("router_weights", weights_TK);
        watch?.Invoke("router_experts", experts_TK);
        var chosen = ExpertRows.ChosenIn(experts_TK, shape.Count);
        balance?.Add(scores_TN, chosen);
        using var rows = wanted_L is null ? null : PassRows.Select(wanted_L);
        if (wanted_L is not null)
        {
            x_TE = x_TE.IndexSelect(0, wanted_L);
            weights_TK = weights_TK.IndexSelect(0, wanted_L);
            chosen = ExpertRows.Of(chosen, wanted_L, shape.PerToken);
        }

        var mixed_TE = new ExpertRows(chosen, shape.Count, shape.PerToken, x_TE.Device).Mix(x_TE, weights_TK, Experts);
        return shared is null ? mixed_TE : mixed_TE.Add(shared.Forward(x_TE, watch));
    }

    private Tensor Experts(Tensor x_RE, long[] starts)
    {
        var both = gateUp.Forward(x_RE, starts);
        return down.Forward(NetOps.SiluMul(both.Slice(1, 0, shape.Inner), both.Slice(1, shape.Inner, 2L * shape.Inner)), starts);
    }

    /// <summary>
    /// How the checkpoint's matrices lie. Programs write both alike, and never are both square: then an expert would be as wide as the model and half as wide.
    /// </summary>
    private static bool InputsFirst(Weights experts, long width, ExpertShape shape)
    {
        foreach (var (name, inputs, outputs) in new[] { ("gate_up_proj", width, 2L * shape.Inner), ("down_proj", shape.Inner, width) })
        {
            if (inputs != outputs && experts.Ledger.StoredShape((experts / name).Path) is [_, var rows, var columns])
            {
                return rows == inputs && columns == outputs ? true : rows == outputs && columns == inputs ? false : shape.InputsFirst;
            }
        }

        return shape.InputsFirst;
    }
}
