namespace Fovea.Data.Datasets;

/// <summary>Which field of a row holds what; null where the dataset has no such field.</summary>
internal sealed record DatasetColumns
{
    public string? Prompt { get; init; }

    public string? Query { get; init; }

    public string? Response { get; init; }

    public string? History { get; init; }

    public string? Messages { get; init; }

    public string? System { get; init; }

    public string? Tools { get; init; }

    public string? Images { get; init; }

    public string? Videos { get; init; }

    public string? Audios { get; init; }

    public string? Objects { get; init; }

    /// <summary>A factor on the loss of the row's tokens; a row that names no columns has none.</summary>
    public string? Weight { get; init; }

    /// <summary>Whether a field of that name is read.</summary>
    internal bool Reads(string name) =>
        name == Prompt || name == Query || name == Response || name == History || name == Messages || name == System || name == Tools || name == Images
        || name == Videos || name == Audios || name == Objects || name == Weight;

    /// <summary>The fields that are read.</summary>
    internal IEnumerable<string> Named =>
        new[] { Prompt, Query, Response, History, Messages, System, Tools, Images, Videos, Audios, Objects, Weight }.OfType<string>();
}
