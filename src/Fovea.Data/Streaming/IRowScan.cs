using Fovea.Data.Readers;

namespace Fovea.Data.Streaming;

/// <summary>The rows of one file, or of a group of its rows, found one after the other: nothing of those before is kept.</summary>
internal interface IRowScan : IDisposable
{
    /// <summary>Finds the next row; false behind the last. For one thread.</summary>
    /// <param name="at">Where to look from: 0 is the beginning, anything else what an earlier call left here.</param>
    /// <param name="start">What <see cref="Read"/> finds the row by.</param>
    /// <exception cref="ConfigException">The file is damaged there, so that the rows behind cannot be found.</exception>
    bool Next(ref long at, out long start, out int length);

    /// <summary>The row at a place; from any thread.</summary>
    /// <exception cref="System.Text.Json.JsonException">It cannot be read; says why in words that follow "row 7: ".</exception>
    Row Read(long start, int length);
}
