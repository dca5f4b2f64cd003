namespace Fovea.Data.Datasets;

/// <summary>A row that cannot be trained on. <paramref name="Row"/> counts from 1 within its dataset.</summary>
internal sealed record BadSample(string Dataset, int Row, string Reason)
{
    /// <summary>One short line.</summary>
    public string Reason { get; } = Brief.Message(Reason);

    /// <summary>The file and the row in it, where the dataset's name and <see cref="Row"/> do not say them; null elsewhere.</summary>
    public string? Place { get; init; }

    /// <summary>Nothing is wrong with it but its length under the cutoff.</summary>
    public bool TooLong { get; init; }

    /// <summary>The reason, and the place where there is one to say.</summary>
    public string PlacedReason => Place is null ? Reason : $"{Reason} (in {Place})";

    public override string ToString() => $"dataset '{Dataset}', row {Row}: {PlacedReason}";
}
