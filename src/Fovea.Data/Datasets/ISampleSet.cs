namespace Fovea.Data.Datasets;

/// <summary>Conversations by their index, read when asked for, from any thread.</summary>
internal interface ISampleSet
{
    int Count { get; }

    /// <exception cref="BadSampleException">The row cannot be used.</exception>
    Conversation this[int index] { get; }

    /// <summary>What is wrong with the sample at <paramref name="index"/>, with its file.</summary>
    BadSample Place(BadSample bad, int index);

    /// <summary>The dataset that <paramref name="index"/> belongs to, and its row counted from 1.</summary>
    (string Dataset, int Row) Origin(int index);
}
