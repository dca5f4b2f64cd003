using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Distributed;

/// <summary>
/// How the ranks of a mesh share one optimizer step: which part of the trainable weights each one updates, and how gradients come together. A step is
/// <see cref="Run"/> over its micro-batches, <see cref="Finish"/>, the optimizer on <see cref="Parts"/>, <see cref="Publish"/>. All ranks do all of it.
/// </summary>
internal abstract class ParallelStrategy(Mesh mesh) : IDisposable
{
    /// <summary>What this rank's optimizer updates.</summary>
    public abstract IReadOnlyList<ParameterShard> Parts { get; }

    /// <summary>Sums over ranks a number that each computed from its own <see cref="Parts"/>; null where every rank has all parts.</summary>
    public virtual Func<Tensor, Tensor>? SumOfParts => null;

    /// <summary>The buffers of what learns where ranks have parts of weights, for an optimizer that needs whole ones: all ranks in this order.</summary>
    public virtual IReadOnlyList<FlatShard> Divided => [];

    /// <summary>Whether every rank must take part in every pass through the model, because weights are all-gathered for it.</summary>
    public virtual bool RunsTogether => false;

    protected Mesh Mesh { get; } = mesh;

    /// <summary>
    /// Runs the model over this rank's micro-batches. A rank with fewer of them than others, or with images where others have none, still takes part in the
    /// collectives of the rest.
    /// </summary>
    /// <param name="images">For each micro-batch of this rank whether its vision side runs.</param>
    /// <param name="trains">Whether a backward pass follows each forward pass.</param>
    /// <param name="pass">Runs one of this rank's micro-batches, by its number.</param>
    public void Run(IReadOnlyList<bool> images, bool trains, Action<int> pass)
    {
        var passes = Agree(images, trains);
        for (var i = 0; i < passes.Count; i++)
        {
            Begin(passes[i]);
            if (i < images.Count)
            {
                pass(i);
            }

            End();
        }
    }

    /// <summary>After the last micro-batch of a step: the gradients of <see cref="Parts"/> are those of all ranks.</summary>
    public abstract void Finish();

    /// <summary>After the optimizer: gives the ranks what the others have updated.</summary>
    public virtual void Publish()
    {
    }

    /// <summary>Has rank 0 write weights, which all ranks gather meanwhile where they are sharded.</summary>
    public virtual void OnMain(Action write) => Mesh.OnMain(write);

    /// <summary>Writes a checkpoint; the ranks decide here who writes which of its parts.</summary>
    public virtual void Save(CheckpointContent content) => Mesh.OnMain(() =>
    {
        content.Optimizer?.Invoke(0, 1);
        content.Weights();
    });

    public abstract void Dispose();

    /// <summary>Before a micro-batch.</summary>
    protected abstract void Begin(ForwardPass pass);

    /// <summary>After it.</summary>
    protected virtual void End()
    {
    }

    /// <summary>How many passes all ranks make together, and which need the vision side.</summary>
    private IReadOnlyList<ForwardPass> Agree(IReadOnlyList<bool> images, bool trains)
    {
        var flags = images.Select(image => image ? 1.0 : 0).ToArray();
        if (RunsTogether && Mesh.WorldSize > 1)
        {
            Array.Resize(ref flags, (int)-Mesh.Min("the count of micro-batches", -images.Count));
            flags = flags.Length == 0 ? flags : Mesh.Sum("the count of images", flags);
        }

        return [.. flags.Select((flag, i) => new ForwardPass(flag > 0, trains, i == flags.Length - 1))];
    }
}
