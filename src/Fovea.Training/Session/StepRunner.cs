using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;
using Fovea.Training.Features;
using Fovea.Training.Objectives;

namespace Fovea.Training.Session;

/// <summary>Forward and backward passes of packed micro-batches: the same path for training and evaluation.</summary>
/// <param name="visionLearns">Whether gradients reach the vision side; otherwise it runs without a graph.</param>
/// <param name="dropout">Told which tokens come; null without dropout.</param>
/// <param name="cache">Keeps features of a frozen vision side, or of a frozen tower under a trainable projector; null to compute them each time.</param>
/// <param name="plan">Decides what blocks keep, before each micro-batch that trains; null to leave that as it is.</param>
/// <param name="together">
/// Whether all images of a micro-batch go through a frozen tower at once: because other ranks run it at the same time, and on a GPU in any case, which has
/// more to do then. One by one, no image's features depend on the others, to the last bit.
/// </param>
/// <param name="noise">Drawn for the tokens of each micro-batch that trains; null without.</param>
/// <param name="exchange">Between ranks that split the tokens of each micro-batch that trains; null where this one has them all.</param>
internal sealed class StepRunner(
    VisionLanguageModel model, bool visionLearns, DropoutStream? dropout = null, VisionFeatureCache? cache = null, Action<PackedBatch>? plan = null,
    bool together = false, EmbeddingNoise? noise = null, ISequenceExchange? exchange = null)
{
    private readonly DeviceStream copies = DeviceStream.New(model.Device);
    private readonly bool together = together || model.Device.Type != DeviceType.Cpu;
    private readonly AdapterCopies adapters = new(model.Ledger);

    /// <summary>What gradients are multiplied by, and losses are not; a power of two (<see cref="Optim.LossScale"/>).</summary>
    public double Scale { get; set; } = 1;

    public VisionLanguageModel Model => model;

    /// <summary>The device of the model.</summary>
    public Device Device => model.Device;

    /// <summary>Whether the vision side has something to do for a micro-batch.</summary>
    public bool RunsVision(PackedBatch batch) =>
        visionLearns ? batch.Grids.Length > 0 : Enumerable.Range(0, batch.Grids.Length).Any(batch.NeedsPixels);

    /// <summary>
    /// Casts adapters once for all that runs until the result is disposed; weights must not change meanwhile. A micro-batch outside does it for itself.
    /// </summary>
    public IDisposable CastAdapters() => adapters.Open();

    /// <summary>Puts a micro-batch on its way to the device, beside what is being computed. Whoever trains on it disposes it.</summary>
    public PreparedBatch Prepare(PackedBatch batch) => Prepare(batch, exchange);

    /// <summary>
    /// Queues forward and backward of a micro-batch on the device without waiting; gradients are accumulated in the weights. The batch may be disposed at
    /// once. The result belongs to the open scope.
    /// </summary>
    public BatchLoss Train(PreparedBatch prepared, IObjective objective, StepTotals totals)
    {
        using var casts = CastAdapters();
        if (dropout is not null)
        {
            var (samples, tokens) = RowKeys(prepared.Batch);
            var share = ShareOf(prepared.Batch, exchange);
            dropout.Begin(totals.Step, share.Of<long>(samples, -1), share.Of<int>(tokens, 0), model.Device);
            if (visionLearns && prepared.Batch.Grids.Length > 0)
            {
                dropout.BeginImages(ImageKeys(prepared.Batch), model.VisionRows(prepared.Input), model.Device);
            }
        }

        plan?.Invoke(prepared.Batch);
        Receive(prepared);
        try
        {
            model.Ledger.TokenNoise = NoiseOf(prepared.Batch, totals.Step);
            var loss = objective.Loss(this, prepared, totals);
            using var span = Profile.Open("backward");
            if (loss.Roots.Length > 0)
            {
                Autograd.Backward(loss.Roots, loss.Gradients);
            }

            return loss;
        }
        finally
        {
            model.Ledger.TokenNoise = null;
        }
    }

    /// <summary>Forward only.</summary>
    public BatchMeasure Evaluate(PackedBatch batch, IObjective objective, StepTotals totals)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("micro-batch");
        using var prepared = Prepare(batch, null);
        using var casts = CastAdapters();
        Receive(prepared);
        return objective.Measure(this, prepared, totals);
    }

    /// <summary>For objectives: final hidden states at the positions that predict a trained token [L, E].</summary>
    /// <param name="side">Takes losses that arise inside the model; null where only the tokens' own are wanted.</param>
    public Tensor Hidden(PreparedBatch prepared, SideLosses? side = null)
    {
        using var span = Profile.Open("forward");
        var features = Features(prepared);
        var input = prepared.Input with { Side = side };

        // With dropout the last layer computes all rows, as it always has, so that a run that is resumed goes on with the same bits.
        return dropout is null || !Autograd.IsRecording
            ? model.Hidden(input with { Wanted = prepared.LossIndex }, features)
            : model.Hidden(input, features).IndexSelect(0, prepared.LossIndex);
    }

    private PreparedBatch Prepare(PackedBatch batch, ISequenceExchange? within)
    {
        using var span = Profile.Open("to device");
        var compute = DeviceStream.Current(model.Device);
        copies.Use();
        using var scope = TensorScope.Open("micro-batch");
        try
        {
            var (share, input) = (ShareOf(batch, within), model.Prepare(batch, within));
            var trained = share.Range(batch.LossIndex);
            var end = trained.First + trained.Count;
            var (index, targets) = (Array.ConvertAll(batch.LossIndex[trained.First..end], row => row - share.Start), batch.Targets[trained.First..end]);

            // The other ranks need this one's backward pass also where it has no trained token.
            var (rows, ids) = within is null || trained.Count > 0 ? (index, targets) : ([0], [0]);
            var (placed, wanted) = (CreateOps.On(model.Device, rows), CreateOps.On(model.Device, ids));
            var features = cache is null || model.Device.Type == DeviceType.Cpu ? null : cache.Send(batch, model.Device);
            return new PreparedBatch(batch, input, placed, wanted, scope.KeepAll()) { Trained = trained, Features = features };
        }
        finally
        {
            compute.Use();
        }
    }

    private static TokenShare ShareOf(PackedBatch batch, ISequenceExchange? within) => new(batch.Tokens, within?.Size ?? 1, within?.Rank ?? 0);

    /// <summary>What is computed from now on waits, on the device, for the copies.</summary>
    private void Receive(PreparedBatch prepared)
    {
        var compute = DeviceStream.Current(model.Device);
        compute.After(copies);
        foreach (var tensor in prepared.Tensors)
        {
            if (tensor.Device == model.Device)
            {
                compute.Keeps(tensor);
            }
        }
    }

    private Tensor? NoiseOf(PackedBatch batch, int step)
    {
        if (noise is null)
        {
            return null;
        }

        // How large it is depends on the length of the whole sample.
        var (samples, tokens) = RowKeys(batch);
        var share = ShareOf(batch, exchange);
        var fillers = Enumerable.Range(0, share.All - share.Tokens);
        return noise.Draw(step, [.. samples, .. fillers.Select(_ => -1L)], [.. tokens, .. fillers], (int)model.Head.Shape[1], model.Device)
            .Slice(0, share.Start, share.End);
    }

    private static (long[] Samples, int[] Tokens) RowKeys(PackedBatch batch)
    {
        var samples = new long[batch.Tokens];
        var tokens = new int[batch.Tokens];
        for (var s = 0; s < batch.Samples; s++)
        {
            for (var i = batch.CuSeqlens[s]; i < batch.CuSeqlens[s + 1]; i++)
            {
                samples[i] = batch.SampleIndices[s];
                tokens[i] = i - batch.CuSeqlens[s];
            }
        }

        return (samples, tokens);
    }

    private static (long Sample, int Image)[] ImageKeys(PackedBatch batch)
    {
        var images = new (long, int)[batch.Grids.Length];
        for (var s = 0; s < batch.Samples; s++)
        {
            for (var i = batch.ImageStarts[s]; i < batch.ImageStarts[s + 1]; i++)
            {
                images[i] = (batch.SampleIndices[s], i - batch.ImageStarts[s]);
            }
        }

        return images;
    }

    private VisualFeatures? Features(PreparedBatch prepared)
    {
        var input = prepared.Input;
        return !visionLearns ? Frozen(prepared, towerOnly: false)
            : cache is null ? model.VisionFeatures(input)
            : Frozen(prepared, towerOnly: true) is { } tower ? model.Project(tower, input)
            : null;
    }

    private VisualFeatures? Frozen(PreparedBatch prepared, bool towerOnly)
    {
        using var grad = Autograd.NoGrad();
        return together
            ? VisionFeatureCache.TogetherFeatures(model, prepared.Batch, prepared.Input, cache, towerOnly, prepared.Features)
            : VisionFeatureCache.Features(model, prepared.Batch, prepared.Input, cache, towerOnly);
    }
}
