using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>Tokens in the order of the experts that they go to, so that each expert is a product over a stretch of rows.</summary>
/// <remarks>Suffixes: T tokens, K experts of each, R rows (a token and one of its experts), N experts, E width.</remarks>
internal sealed class ExpertRows
{
    private readonly Tensor choices_R;
    private readonly Tensor tokens_R;
    private readonly long[] starts;

    /// <param name="chosen">The experts of each token, K a token.</param>
    /// <param name="experts">N.</param>
    /// <param name="perToken">K.</param>
    public ExpertRows(long[] chosen, int experts, int perToken, Device device)
    {
        starts = new long[experts + 1];
        foreach (var expert in chosen)
        {
            starts[expert + 1]++;
        }

        for (var e = 0; e < experts; e++)
        {
            starts[e + 1] += starts[e];
        }

        var next = starts.ToArray();
        var choices = new long[chosen.Length];
        for (var i = 0; i < chosen.Length; i++)
        {
            choices[next[chosen[i]]++] = i;
        }

        choices_R = CreateOps.On(device, choices);
        tokens_R = perToken == 1 ? choices_R : CreateOps.On(device, Array.ConvertAll(choices, choice => choice / perToken));
    }

    /// <summary>
    /// The choices of all tokens, on the host. Shapes alone hold none: then all experts have as much to do, which changes nothing that is kept.
    /// </summary>
    public static long[] ChosenIn(Tensor experts_TK, int experts) => experts_TK.Device.Type == DeviceType.Meta
        ? [.. Enumerable.Range(0, (int)experts_TK.Count).Select(i => (long)i % experts)]
        : experts_TK.ToArray<long>();

    /// <summary>The choices of some tokens.</summary>
    public static long[] Of(long[] chosen, Tensor tokens_L, int perToken) =>
        [.. tokens_L.ToArray<long>().SelectMany(token => new ArraySegment<long>(chosen, (int)token * perToken, perToken))];

    /// <summary>The weighed sum of what the experts of each token make of it.</summary>
    /// <param name="body">
    /// Computes all experts, of rows and where those of each begin. One that nothing fell on takes part: its gradient is zero, not absent.
    /// </param>
    /// <returns>[T, E]</returns>
    public Tensor Mix(Tensor x_TE, Tensor weights_TK, Func<Tensor, long[], Tensor> body)
    {
        using var rows = PassRows.Select(tokens_R);
        var y_RE = body(x_TE.IndexSelect(0, tokens_R), starts);
        var weighed_RE = y_RE.Mul(weights_TK.Reshape(-1, 1).IndexSelect(0, choices_R).To(x_TE.DType));
        return CreateOps.Zeros(x_TE.Shape, x_TE.DType, x_TE.Device).IndexAdd(0, tokens_R, weighed_RE);
    }
}
