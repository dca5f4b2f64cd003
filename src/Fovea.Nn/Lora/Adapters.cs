using Fovea.Tensors;

namespace Fovea.Nn.Lora;

/// <summary>Attaches adapters to the weights of a model, and folds them into those.</summary>
internal static class Adapters
{
    /// <summary>Gives everything that matches an adapter. Without <paramref name="saved"/>: A uniform in +-1/sqrt(in) as PEFT draws it, B zero.</summary>
    /// <param name="matches">Chooses linears, and experts' weights, by path.</param>
    /// <param name="saved">Supplies <c>PATH.lora_A.weight</c> and <c>PATH.lora_B.weight</c>.</param>
    /// <param name="trainable">Whether the adapters learn.</param>
    /// <param name="dropout">Shared by all adapters; null when nothing is dropped.</param>
    /// <returns>What was adapted.</returns>
    public static IReadOnlyList<Adaptable> Attach(
        Ledger ledger, LoraOptions options, Func<string, bool> matches, IWeightSource? saved = null, bool trainable = true, DropoutStream? dropout = null)
    {
        var chosen = ledger.Adaptables.Where(adaptable => matches(adaptable.Path)).ToList();
        for (var i = 0; i < chosen.Count; i++)
        {
            var target = chosen[i];
            if (target.Lora is not null)
            {
                throw new InvalidOperationException($"{target.Path} already has an adapter; merge it first");
            }

            var master = ledger.Options.Master;
            var (shapeOfA, shapeOfB) = options.ShapesFor(target);
            var a = Make(ledger, target, "lora_A.weight", shapeOfA, saved, trainable, master, 1 / Math.Sqrt(target.Inputs));
            var b = Make(ledger, target, "lora_B.weight", shapeOfB, saved, trainable, master, 0);
            ledger.Attach(target, new LoraAdapter(a, b, options.Scale, dropout, PartOf(target), i));
        }

        return chosen;
    }

    /// <summary>An adapter that is not attached but lies beside the model; the caller's.</summary>
    /// <param name="name">What requests call it.</param>
    /// <param name="matches">Chooses linears, and experts' weights, by path.</param>
    /// <param name="saved">Supplies <c>PATH.lora_A.weight</c> and <c>PATH.lora_B.weight</c>.</param>
    public static NamedAdapter Beside(Ledger ledger, string name, LoraOptions options, Func<string, bool> matches, IWeightSource saved)
    {
        var targets = new Dictionary<Adaptable, LoraAdapter>();
        foreach (var target in ledger.Adaptables.Where(adaptable => matches(adaptable.Path)))
        {
            var (compute, (shapeOfA, shapeOfB)) = (ledger.Options.Compute, options.ShapesFor(target));
            var a = Make(ledger, target, "lora_A.weight", shapeOfA, saved, trainable: false, compute, 0);
            var b = Make(ledger, target, "lora_B.weight", shapeOfB, saved, trainable: false, compute, 0);
            targets.Add(target, new LoraAdapter(a, b, options.Scale, dropout: null, PartOf(target), targets.Count));
        }

        return new NamedAdapter(name, targets);
    }

    /// <summary>
    /// Folds every adapter into its weight (fp32 sum, stored in the weight's own type) and detaches it. Where weights wait to be placed, each is folded as
    /// it is placed, so that never more than one of them is held.
    /// </summary>
    public static void Merge(Ledger ledger)
    {
        using var grad = Autograd.NoGrad();
        foreach (var target in ledger.Adaptables)
        {
            if (ledger.Detach(target) is not { } lora)
            {
                continue;
            }

            if (ledger.Options.Deferred)
            {
                target.Weight.DeferMerge(Merged, lora.A.Value, lora.B.Value);
                continue;
            }

            using (TensorScope.Open("block"))
            {
                target.Weight.Replace(Merged(target.Weight.Dense()).Keep());
            }

            lora.A.Value.Dispose();
            lora.B.Value.Dispose();

            Tensor Merged(Tensor weight) => weight.To(DType.F32).Add(target.Delta(lora).To(weight.Device)).To(weight.DType);
        }
    }

    private static ModelPart PartOf(Adaptable target) => target.Weight.Block?.Part ?? ModelPart.Language;

    private static Parameter Make(Ledger ledger, Adaptable target, string last, long[] shape, IWeightSource? saved, bool trainable, DType type, double bound)
    {
        var name = $"{target.Path}.{last}";
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
        return new Parameter(name, shape, value, trainable, options.Compute) { Block = target.Weight.Block, IsAdapter = true };
    }
}
