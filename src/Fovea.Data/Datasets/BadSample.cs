namespace Fovea.Data.Datasets;

/// <summary>A row that cannot be trained on. <paramref name="Row"/> counts from 1 within its data set.</summary>
public sealed record BadSample(string Dataset, int Row, string Reason)
{
    /// <summary>Nothing is wrong with it but its length under the cutoff.</summary>
    public bool TooLong { get; init; }

    public override string ToString() => $"data set '{Dataset}', row {Row}: {Reason}";
}
