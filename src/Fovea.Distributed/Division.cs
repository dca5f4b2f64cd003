using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Distributed;

/// <summary>
/// How what learns is divided over the ranks of a mesh, and how gradients come together. A step is: <see cref="Agree"/>, then <see cref="Begin"/> and
/// <see cref="End"/> around each micro-batch, <see cref="Finish"/>, the optimizer on <see cref="Parts"/>, <see cref="Publish"/>. All ranks do all of it.
/// </summary>
public abstract class Division(Mesh mesh) : IDisposable
{
    /// <summary>What this rank's optimizer updates.</summary>
    public abstract IReadOnlyList<LearnedPart> Parts { get; }

    /// <summary>Whether other ranks' optimizers update other parts.</summary>
    public virtual bool IsDivided => false;

    /// <summary>Whether every rank must take part in every pass through the model, because weights are brought together for it.</summary>
    public virtual bool RunsTogether => false;

    protected Mesh Mesh { get; } = mesh;

    /// <summary>How many passes all ranks make together, and which need the vision side.</summary>
    /// <param name="images">For each micro-batch of this rank whether its vision side runs.</param>
    public IReadOnlyList<ForwardPass> Agree(IReadOnlyList<bool> images, bool learns)
    {
        var flags = images.Select(image => image ? 1.0 : 0).ToArray();
        if (RunsTogether && Mesh.WorldSize > 1)
        {
            Array.Resize(ref flags, (int)-Mesh.Min("the count of micro-batches", -images.Count));
            flags = flags.Length == 0 ? flags : Mesh.Sum("the count of images", flags);
        }

        return [.. flags.Select((flag, i) => new ForwardPass(flag > 0, learns, i == flags.Length - 1))];
    }

    /// <summary>Before a micro-batch.</summary>
    public abstract void Begin(ForwardPass pass);

    /// <summary>After it.</summary>
    public virtual void End()
    {
    }

    /// <summary>After the last micro-batch of a step: the gradients of <see cref="Parts"/> are those of all ranks.</summary>
    public abstract void Finish();

    /// <summary>The sum over ranks of a number of each one's parts.</summary>
    public virtual Tensor Total(Tensor number) => number;

    /// <summary>After the optimizer: gives the ranks what the others have updated.</summary>
    public virtual void Publish()
    {
    }

    /// <summary>Has rank 0 write weights, which all ranks bring together meanwhile where they are divided.</summary>
    public virtual void OnMain(Action write) => Mesh.OnMain(write);

    public abstract void Dispose();
}
