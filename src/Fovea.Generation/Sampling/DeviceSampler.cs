using Fovea.Tensors;

namespace Fovea.Generation.Sampling;

/// <summary>
/// Chooses the next token of every answer of a batch where its logits lie, so that only the choices leave the device. Each answer's chooser says what it wants
/// changed and draws its own numbers; the tokens are those that it would choose itself, save where two probabilities differ by less than rounding.
/// </summary>
/// <remarks>Suffixes: N answers, V vocabulary, S answers that sample, E edited places.</remarks>
internal static class DeviceSampler
{
    private static readonly Operator LessOp = new("aten::lt", "Tensor");
    private static readonly Operator LessScalarOp = new("aten::lt", "Scalar");
    private static readonly Operator AtMostOp = new("aten::le", "Tensor");
    private static readonly Operator AtLeastOp = new("aten::ge", "Tensor");
    private static readonly Operator WhereOp = new("aten::where", "self");
    private static readonly Operator CumulativeSumOp = new("aten::cumsum");
    private static readonly Operator LargestOp = new("aten::amax");
    private static readonly Operator SmallestOp = new("aten::amin");
    private static readonly Operator LogSumOp = new("aten::logsumexp");

    /// <summary>Largest logits that are no further apart count as a tie that rounding decides.</summary>
    public const double NearTie = 1e-3;

    /// <param name="logits_NV">As the model computed them, fp32; not changed.</param>
    /// <param name="choosers">One for each row. They are told the choices by <see cref="TokenChooser.Accept"/>, as always.</param>
    /// <returns>
    /// The choices, with log probabilities where all or some ask for them, and how many greedy ones were near ties: another logit within
    /// <see cref="NearTie"/> of the largest, where the rounding of a batch's products may choose otherwise than that of one answer alone.
    /// </returns>
    /// <exception cref="TorchException">A row is not finite.</exception>
    /// <exception cref="ConfigException">The options of an answer forbid every token.</exception>
    public static (int[] Ids, TokenLogprob?[] Logprobs, int NearTies) Choose(Tensor logits_NV, IReadOnlyList<TokenChooser> choosers)
    {
        using var grad = Autograd.NoGrad();
        var (rows, vocabulary) = (logits_NV.Size(0), (int)logits_NV.Size(1));
        var edits = new LogitEdits(vocabulary);
        for (var row = 0; row < rows; row++)
        {
            choosers[row].Collect(edits, row);
        }

        var edited_NV = Edited(logits_NV, edits);
        var top_N1 = LargestOp.Call(edited_NV, (long[])[1], true);
        Check(logits_NV, top_N1, choosers);

        // The first of the largest: equal ones are common in 16 bits.
        var places_V = CreateOps.Arange(0, vocabulary, device: logits_NV.Device);
        var first_N = SmallestOp.Call(
            WhereOp.Call(AtLeastOp.Call(edited_NV, top_N1), places_V, CreateOps.Full([1], vocabulary - 1, DType.I64, logits_NV.Device)), (long[])[1], false);
        var ids = Array.ConvertAll(first_N.ToArray<long>(), id => (int)id);
        var sampled = Enumerable.Range(0, choosers.Count).Where(row => choosers[row].Options.DoSample).ToArray();
        if (sampled.Length > 0)
        {
            var drawn = Drawn(edited_NV.IndexSelect(0, Ids(sampled, logits_NV.Device)), [.. sampled.Select(row => choosers[row])]);
            for (var i = 0; i < sampled.Length; i++)
            {
                ids[sampled[i]] = (int)drawn[i];
            }
        }

        return (ids, Reports(logits_NV, ids, choosers), sampled.Length == rows ? 0 : NearTies(edited_NV, top_N1, choosers));
    }

    private static int NearTies(Tensor edited_NV, Tensor top_N1, IReadOnlyList<TokenChooser> choosers)
    {
        var near_N = AtLeastOp.Call(edited_NV, top_N1.Add(-NearTie)).To(DType.I64).Sum(1).ToArray<long>();
        return near_N.Where((count, row) => count > 1 && !choosers[row].Options.DoSample).Count();
    }

    private static Tensor Ids(int[] values, Device device) => CreateOps.On(device, Array.ConvertAll(values, value => (long)value), values.Length);

    private static Tensor Edited(Tensor logits_NV, LogitEdits edits)
    {
        var device = logits_NV.Device;
        var flat = logits_NV.Reshape(-1);
        if (edits.Repeated.Places.Count > 0)
        {
            var places_E = CreateOps.On(device, edits.Repeated.Places.ToArray(), edits.Repeated.Places.Count);
            var penalties_E = CreateOps.On(device, edits.Repeated.Penalties.ToArray(), edits.Repeated.Penalties.Count);
            var old_E = flat.IndexSelect(0, places_E);
            flat = flat.IndexCopy(0, places_E, WhereOp.Call(LessScalarOp.Call(old_E, 0), old_E.Mul(penalties_E), old_E.Div(penalties_E)));
        }

        if (edits.Forbidden.Count > 0)
        {
            var places_E = CreateOps.On(device, edits.Forbidden.ToArray(), edits.Forbidden.Count);
            flat = flat.IndexCopy(0, places_E, CreateOps.Full([edits.Forbidden.Count], double.NegativeInfinity, DType.F32, device));
        }

        if (edits.Kept.Count > 0)
        {
            var gone = new bool[logits_NV.Size(0) * edits.Vocabulary];
            foreach (var (row, allowed) in edits.Kept)
            {
                for (var id = 0; id < edits.Vocabulary; id++)
                {
                    gone[(row * edits.Vocabulary) + id] = ((allowed[id >> 6] >> (id & 63)) & 1) == 0;
                }
            }

            flat = flat.MaskedFill(CreateOps.On(device, gone, gone.Length), double.NegativeInfinity);
        }

        if (edits.Added.Places.Count > 0)
        {
            var places_E = CreateOps.On(device, edits.Added.Places.ToArray(), edits.Added.Places.Count);
            flat = flat.IndexAdd(0, places_E, CreateOps.On(device, edits.Added.Values.ToArray(), edits.Added.Values.Count));
        }

        return flat.Reshape(logits_NV.Size(0), logits_NV.Size(1));
    }

    private static void Check(Tensor logits_NV, Tensor top_N1, IReadOnlyList<TokenChooser> choosers)
    {
        var raw = LargestOp.Call(logits_NV, (long[])[1], true).ToArray<float>();
        var top = top_N1.ToArray<float>();
        for (var row = 0; row < raw.Length; row++)
        {
            if (!float.IsFinite(raw[row]))
            {
                throw TokenChooser.NotFinite();
            }

            if (!float.IsFinite(top[row]))
            {
                throw choosers[row].NothingLeft();
            }
        }
    }

    private static long[] Drawn(Tensor logits_SV, TokenChooser[] choosers)
    {
        var (device, vocabulary) = (logits_SV.Device, logits_SV.Size(1));
        Tensor Column(Func<TokenChooser, double> value) => CreateOps.On(device, Array.ConvertAll(choosers, chooser => value(chooser)), choosers.Length, 1);
        var (sorted_SV, order_SV) = logits_SV.Sort(1, descending: true);
        var scores_SV = sorted_SV.To(DType.F64);
        var weights_SV = scores_SV.Sub(scores_SV.Slice(1, 0, 1)).Div(Column(chooser => chooser.Options.Temperature)).Exp();
        var zero = CreateOps.Zeros([1], DType.F64, device);

        var last = Array.ConvertAll(choosers, chooser => chooser.Options.TopK is > 0 and var k && k < vocabulary ? k - 1 : vocabulary - 1);
        var least_S1 = sorted_SV.Gather(1, CreateOps.On(device, last, last.Length, 1));
        weights_SV = WhereOp.Call(AtLeastOp.Call(sorted_SV, least_S1), weights_SV, zero);

        // The first one stays whatever the bounds: nothing comes before it, and no weight is larger.
        var before_SV = CumulativeSumOp.Call(weights_SV, 1).Sub(weights_SV);
        var reach_S1 = weights_SV.Sum(1, keepDim: true).Mul(Column(chooser => chooser.Options.TopP < 1 ? chooser.Options.TopP : 2));
        weights_SV = WhereOp.Call(LessOp.Call(before_SV, reach_S1), weights_SV, zero);
        weights_SV = WhereOp.Call(AtLeastOp.Call(weights_SV, Column(chooser => chooser.Options.MinP)), weights_SV, zero);

        var sums_SV = CumulativeSumOp.Call(weights_SV, 1);
        var target_S1 = weights_SV.Sum(1, keepDim: true).Mul(Column(chooser => chooser.NextUniform()));
        var kept_S1 = LessOp.Call(zero, weights_SV).To(DType.I64).Sum(1, keepDim: true);
        var place_S1 = AtMostOp.Call(sums_SV, target_S1).To(DType.I64).Sum(1, keepDim: true);
        var one = CreateOps.Ones([1], DType.I64, device);
        place_S1 = WhereOp.Call(LessOp.Call(place_S1, kept_S1), place_S1, kept_S1.Sub(one));
        return order_SV.Gather(1, place_S1).ToArray<long>();
    }

    private static TokenLogprob?[] Reports(Tensor logits_NV, int[] ids, IReadOnlyList<TokenChooser> choosers)
    {
        var reports = new TokenLogprob?[ids.Length];
        var asked = Enumerable.Range(0, ids.Length).Where(row => choosers[row].Options.Logprobs).ToArray();
        if (asked.Length == 0)
        {
            return reports;
        }

        var device = logits_NV.Device;
        var raw_AV = logits_NV.IndexSelect(0, Ids(asked, device)).To(DType.F64);
        var norm_A1 = LogSumOp.Call(raw_AV, (long[])[1], true);
        var own = raw_AV.Gather(1, CreateOps.On(device, Array.ConvertAll(asked, row => (long)ids[row]), asked.Length, 1)).Sub(norm_A1).ToArray<double>();
        var most = asked.Max(row => choosers[row].Options.TopLogprobs);
        var (values, places) = (Array.Empty<double>(), Array.Empty<long>());
        if (most > 0)
        {
            var (sorted_AV, order_AV) = raw_AV.Sort(1, descending: true);
            most = (int)Math.Min(most, raw_AV.Size(1));
            values = sorted_AV.Slice(1, 0, most).Sub(norm_A1).ToArray<double>();
            places = order_AV.Slice(1, 0, most).Contiguous().ToArray<long>();
        }

        for (var i = 0; i < asked.Length; i++)
        {
            var likely = Enumerable.Range(i * most, Math.Min(most, choosers[asked[i]].Options.TopLogprobs));
            reports[asked[i]] = new TokenLogprob(ids[asked[i]], own[i])
            {
                Top = [.. likely.Select(at => new TokenLogprob((int)places[at], values[at]))],
            };
        }

        return reports;
    }
}
