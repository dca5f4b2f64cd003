namespace Fovea.Data.Readers;

/// <summary>
/// The rows of a file or of several, in order. Only each row's place is kept, so files of any size serve; any row may be read at any time, from several
/// threads at once. A further kind of file is a class with these methods and a line in <see cref="RowReaders"/>.
/// </summary>
internal interface IRowReader : IDisposable
{
    int Count { get; }

    /// <summary>One row, counted from 0.</summary>
    /// <exception cref="System.Text.Json.JsonException">It cannot be read; says why in words that follow "row 7: ".</exception>
    Row Read(int index);

    /// <summary>Where a row stands, in words, where its number does not say it (a line, a key); null otherwise.</summary>
    string? PlaceOf(int index) => null;
}
