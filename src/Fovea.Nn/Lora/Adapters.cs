using Fovea.Tensors;

namespace Fovea.Nn.Lora;

/// <summary>Attaches adapters to the linears of a model, and folds them into the weights.</summary>
internal static class Adapters
{
    /// <summary>Gives every matching linear an adapter. Without <paramref name="saved"/>: A uniform in +-1/sqrt(in) as PEFT draws it, B zero.</summary>
    /// <param name="matches">Chooses linears by path.</param>
    /// <param name="saved">Supplies <c>PATH.lora_A.weight</c> and <c>PATH.lora_B.weight</c>.</param>
    /// <param name="trainable">Whether the adapters learn.</param>
    /// <param name="dropout">Shared by all adapters; null when nothing is dropped.</param>
    /// <returns>The linears that were adapted.</returns>
    public static IReadOnlyList<Linear> Attach(
        Ledger ledger, LoraOptions options, Func<string, bool> matches, IWeightSource? saved = null, bool trainable = true, DropoutStream? dropout = null)
    {
        var chosen = ledger.Linears.Where(linear => matches(linear.Path)).ToList();
        for (var i = 0; i < chosen.Count; i++)
        {
            var linear = chosen[i];
            if (linear.Lora is not null)
            {
                throw new InvalidOperationException($"{linear.Path} already has an adapter; merge it first");
            }

            var master = ledger.Options.Master;
            var a = Make(ledger, linear, "lora_A.weight", [options.Rank, linear.Inputs], saved, trainable, master, 1 / Math.Sqrt(linear.Inputs));
            var b = Make(ledger, linear, "lora_B.weight", [linear.Outputs, options.Rank], saved, trainable, master, 0);
            ledger.Attach(linear, new LoraAdapter(a, b, options.Scale, dropout, PartOf(linear), i));
        }

        return chosen;
    }

    /// <summary>An adapter that is not attached but lies beside the model; the caller's.</summary>
    /// <param name="name">What requests call it.</param>
    /// <param name="matches">Chooses linears by path.</param>
    /// <param name="saved">Supplies <c>PATH.lora_A.weight</c> and <c>PATH.lora_B.weight</c>.</param>
    public static NamedAdapter Beside(Ledger ledger, string name, LoraOptions options, Func<string, bool> matches, IWeightSource saved)
    {
        var linears = new Dictionary<Linear, LoraAdapter>();
        foreach (var linear in ledger.Linears.Where(linear => matches(linear.Path)))
        {
            var compute = ledger.Options.Compute;
            var a = Make(ledger, linear, "lora_A.weight", [options.Rank, linear.Inputs], saved, trainable: false, compute, 0);
            var b = Make(ledger, linear, "lora_B.weight", [linear.Outputs, options.Rank], saved, trainable: false, compute, 0);
            linears.Add(linear, new LoraAdapter(a, b, options.Scale, dropout: null, PartOf(linear), linears.Count));
        }

        return new NamedAdapter(name, linears);
    }

    /// <summary>
    /// Folds every adapter into its weight (fp32 sum, stored in the weight's own type) and detaches it. Where weights wait to be placed, each is folded as
    /// it is placed, so that never more than one of them is held.
    /// </summary>
    public static void Merge(Ledger ledger)
    {
        using var grad = Autograd.NoGrad();
        foreach (var linear in ledger.Linears)
        {
            if (ledger.Detach(linear) is not { } lora)
            {
                continue;
            }

            if (ledger.Options.Deferred)
            {
                linear.Weight.DeferMerge(Merged, lora.A.Value, lora.B.Value);
                continue;
            }

            using (TensorScope.Open("block"))
            {
                linear.Weight.Replace(Merged(linear.Weight.Value.Detach()).Keep());
            }

            lora.A.Value.Dispose();
            lora.B.Value.Dispose();

            Tensor Merged(Tensor weight) => weight.To(DType.F32).Add(lora.Delta().To(weight.Device)).To(weight.DType);
        }
    }

    private static ModelPart PartOf(Linear linear) => linear.Weight.Block?.Part ?? ModelPart.Language;

    private static Parameter Make(Ledger ledger, Linear linear, string last, long[] shape, IWeightSource? saved, bool trainable, DType type, double bound)
    {
        var name = $"{linear.Path}.{last}";
        var options = ledger.Options;
        using var scope = TensorScope.Open("weight");
        var value = CreateOps.Zeros(shape, type, options.Device).Keep();
        if (saved is not null)
        {
            if (!saved.Has(name))
            {
                throw new CheckpointException($"the adapter has no {name}");
            }

            var read = saved.Read(name, shape);
            if (!read.Shape.AsSpan().SequenceEqual(shape))
            {
                throw new CheckpointException($"{name}: expected [{string.Join(", ", shape)}], the adapter has [{string.Join(", ", read.Shape)}]");
            }

            value.Copy_(read);
        }
        else if (bound > 0 && options.Device.Type != DeviceType.Meta)
        {
            value.Uniform_(-bound, bound);
        }

        value.Name = name;
        value.RequiresGrad = trainable;
        return new Parameter(name, shape, value, trainable, options.Compute) { Block = linear.Weight.Block, IsAdapter = true };
    }
}
