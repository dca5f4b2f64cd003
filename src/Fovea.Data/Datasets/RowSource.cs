namespace Fovea.Data.Datasets;

/// <summary>The rows of one dataset, in order; read when asked for, from any thread.</summary>
internal abstract class RowSource(DatasetSpec spec) : IDisposable
{
    internal DatasetSpec Spec { get; } = spec;

    internal abstract int Count { get; }

    public abstract void Dispose();

    /// <summary>Row <paramref name="index"/> (from 0), or null and the reasons in <paramref name="problems"/>.</summary>
    /// <param name="use">Collects the fields that nothing reads; null if nobody asks.</param>
    internal abstract Conversation? Read(int index, List<string> problems, ColumnUse? use = null);

    /// <summary>A row that cannot be used, with its place where the dataset's name does not say it.</summary>
    internal BadSample Bad(int index, IReadOnlyList<string> problems) => Place(new BadSample(Spec.Name, index + 1, Brief.Join(problems)), index);

    /// <summary>The sample with its place where the dataset's name does not say it.</summary>
    internal abstract BadSample Place(BadSample bad, int index);
}
