using Fovea.Tensors;

namespace Fovea.Nn.Lora;

/// <summary>Attaches adapters to the weights of a model, and folds them into those.</summary>
internal static class Adapters
{
    /// <summary>Gives everything that matches an adapter.</summary>
    /// <param name="options">What matches no pattern of theirs has their rank and alpha.</param>
    /// <param name="matches">Chooses linears, and experts' weights, by path.</param>
    /// <param name="saved">
    /// Supplies <c>PATH.lora_A.weight</c>, <c>PATH.lora_B.weight</c> and <c>PATH.lora_magnitude_vector</c>. Null: as <see cref="LoraOptions.Start"/> says,
    /// magnitudes the weight's own. Where they begin with a part of the weight, that is taken out by <see cref="TakeOut"/>.
    /// </param>
    /// <param name="trainable">Whether the adapters learn.</param>
    /// <param name="dropout">Shared by all adapters; null when nothing is dropped.</param>
    /// <param name="spelled">The other spelling of a path, which patterns may be about; null where there is none.</param>
    /// <returns>What was adapted.</returns>
    public static IReadOnlyList<Adaptable> Attach(
        Ledger ledger, LoraOptions options, Func<string, bool> matches, IWeightSource? saved = null, bool trainable = true, DropoutStream? dropout = null,
        Func<string, string>? spelled = null)
    {
        var chosen = ledger.Adaptables.Where(adaptable => matches(adaptable.Path)).ToList();
        if (saved is null && options.Start.Problem(chosen.Select(target => (target, Of(options, target, spelled)))) is { } problem)
        {
            throw new ConfigException(problem);
        }

        for (var i = 0; i < chosen.Count; i++)
        {
            var target = chosen[i];
            if (target.Lora is not null)
            {
                throw new InvalidOperationException($"{target.Path} already has an adapter; merge it first");
            }

            var master = ledger.Options.Master;
            var own = Of(options, target, spelled);
            var (shapeOfA, shapeOfB) = own.ShapesFor(target);
            var a = Make(ledger, target, "lora_A.weight", shapeOfA, saved, trainable, master);
            var b = Make(ledger, target, "lora_B.weight", shapeOfB, saved, trainable, master);
            if (saved is null && ledger.Options.Device.Type != DeviceType.Meta)
            {
                own.Start.Fill(target, own, a.Value, b.Value);
            }

            var magnitude = own.Decomposed ? Magnitudes(ledger, target, saved, trainable) : null;
            ledger.Attach(target, new LoraAdapter(a, b, own.Scale, dropout, PartOf(target), i, magnitude));
        }

        return chosen;
    }

    /// <summary>An adapter that is not attached but lies beside the model; the caller's.</summary>
    /// <param name="name">What requests call it.</param>
    /// <param name="matches">Chooses linears, and experts' weights, by path.</param>
    /// <param name="saved">Supplies <c>PATH.lora_A.weight</c> and <c>PATH.lora_B.weight</c>.</param>
    /// <param name="spelled">The other spelling of a path, which patterns may be about; null where there is none.</param>
    public static NamedAdapter Beside(
        Ledger ledger, string name, LoraOptions options, Func<string, bool> matches, IWeightSource saved, Func<string, string>? spelled = null)
    {
        var targets = new Dictionary<Adaptable, LoraAdapter>();
        foreach (var target in ledger.Adaptables.Where(adaptable => matches(adaptable.Path)))
        {
            var (compute, own) = (ledger.Options.Compute, Of(options, target, spelled));
            var (shapeOfA, shapeOfB) = own.ShapesFor(target);
            var a = Make(ledger, target, "lora_A.weight", shapeOfA, saved, trainable: false, compute);
            var b = Make(ledger, target, "lora_B.weight", shapeOfB, saved, trainable: false, compute);
            targets.Add(target, new LoraAdapter(a, b, own.Scale, dropout: null, PartOf(target), targets.Count));
        }

        return new NamedAdapter(name, targets);
    }

    /// <summary>
    /// Takes out of every adapted weight what its adapter began with, by the adapter's initial matrices, or its present ones where it has none yet. Where
    /// weights wait to be placed it is done as each is placed.
    /// </summary>
    public static void TakeOut(Ledger ledger)
    {
        using var grad = Autograd.NoGrad();
        foreach (var target in ledger.Adaptables)
        {
            if (target.Lora is not { } lora)
            {
                continue;
            }

            var (initial, scale) = (lora.Initial ??= InitialFactors.Of(lora), lora.Scale);
            if (ledger.Options.Deferred)
            {
                target.Weight.DeferMerge(weight => initial.Rest(weight, scale));
                continue;
            }

            using var scope = TensorScope.Open("block");
            target.Weight.Replace(initial.Rest(target.Weight.Dense(), scale).Keep());
        }
    }

    /// <summary>
    /// Folds every adapter into its weight (fp32 sum, stored in the weight's own type) and detaches it. Where weights wait to be placed, each is folded as
    /// it is placed, so that never more than one of them is held.
    /// </summary>
    public static void Merge(Ledger ledger)
    {
        using var grad = Autograd.NoGrad();
        MergeRows(ledger);
        foreach (var target in ledger.Adaptables)
        {
            if (ledger.Detach(target) is not { } lora)
            {
                continue;
            }

            if (ledger.Options.Deferred)
            {
                target.Weight.DeferMerge(Merged, [.. lora.Tensors]);
                continue;
            }

            using (TensorScope.Open("block"))
            {
                target.Weight.Replace(Merged(target.Weight.Dense()).Keep());
            }

            lora.Dispose();

            Tensor Merged(Tensor weight) => lora.Rescaled(weight.To(DType.F32).Add(target.Delta(lora).To(weight.Device))).To(weight.DType);
        }
    }

    private static void MergeRows(Ledger ledger)
    {
        foreach (var trained in ledger.Rows.ToList())
        {
            ledger.Detach(trained);
            if (ledger.Options.Deferred)
            {
                trained.Table.DeferMerge(trained.Into, trained.Rows.Value);
                continue;
            }

            using (TensorScope.Open("block"))
            {
                trained.Table.Replace(trained.Into(trained.Table.Dense()).Keep());
            }

            trained.Dispose();
        }
    }

    private static LoraOptions Of(LoraOptions options, Adaptable target, Func<string, string>? spelled) =>
        options.For(target.Path, spelled?.Invoke(target.Path) ?? target.Path);

    /// <summary>Rows' lengths as they were saved, else those of the weight as it stands, with what is still to be folded into it.</summary>
    private static Parameter Magnitudes(Ledger ledger, Adaptable target, IWeightSource? saved, bool trainable)
    {
        if (target is not Linear)
        {
            throw new InvalidOperationException($"{target.Path} holds experts, whose adapters have no magnitudes");
        }

        var made = Make(ledger, target, "lora_magnitude_vector", [target.Outputs], saved, trainable, ledger.Options.Master);
        if (saved is null && ledger.Options.Device.Type != DeviceType.Meta)
        {
            using var grad = Autograd.NoGrad();
            using var scope = TensorScope.Open("weight");
            made.Value.Copy_(target.Weight.RowNorms());
        }

        return made;
    }

    private static ModelPart PartOf(Adaptable target) => target.Weight.Block?.Part ?? ModelPart.Language;

    private static Parameter Make(Ledger ledger, Adaptable target, string last, long[] shape, IWeightSource? saved, bool trainable, DType type)
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

        value.Name = name;
        value.RequiresGrad = trainable;
        return new Parameter(name, shape, value, trainable, options.Compute) { Block = target.Weight.Block, IsAdapter = true };
    }
}
