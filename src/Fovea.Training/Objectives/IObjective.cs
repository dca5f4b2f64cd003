using Fovea.Data.Packing;
using Fovea.Training.Session;

namespace Fovea.Training.Objectives;

/// <summary>
/// What packed rows are worth: the loss that a run minimises, and what is measured on held-out rows. It sees one micro-batch at a time; since a batch carries
/// counts and the step's totals are known by then, the losses of all micro-batches on all ranks add up to the loss of the step.
/// </summary>
internal interface IObjective
{
    /// <summary>Names of the numbers that <see cref="Measure"/> gives beside the loss; they are added up over batches and ranks.</summary>
    IReadOnlyList<string> Sums { get; }

    /// <summary>Whether a micro-batch contributes anything; one that does not is left out.</summary>
    bool Uses(PackedBatch batch);

    /// <summary>Runs the forward pass of a micro-batch that trains. Results belong to the open scope.</summary>
    /// <param name="totals">What all ranks do in this step.</param>
    BatchLoss Loss(StepRunner runner, PreparedBatch batch, StepTotals totals);

    /// <summary>Runs the forward pass of a held-out micro-batch; nothing is recorded for a backward pass.</summary>
    /// <param name="totals">What this rank does in this step.</param>
    BatchMeasure Measure(StepRunner runner, PreparedBatch batch, StepTotals totals);

    /// <summary>What is reported of an evaluation.</summary>
    /// <param name="sums">The totals of <see cref="Sums"/> over all held-out rows.</param>
    IReadOnlyDictionary<string, double> Metrics(ReadOnlySpan<double> sums);
}
