namespace Fovea.Data.Tables;

/// <summary>A file of columns that can be read from the first row to the last, and not well in another order.</summary>
internal interface ITable : IDisposable
{
    IEnumerable<string> Names { get; }

    /// <summary>Groups of rows that can be read without those before them.</summary>
    int Groups { get; }

    /// <summary>Whether there is text or bytes in a column, which could be images, and not numbers alone.</summary>
    bool HoldsBytes(string name);

    /// <summary>
    /// Row after row the values of the columns: null, truth, a long, a double, text, bytes, a list of such (<c>List&lt;object?&gt;</c>), or named fields of
    /// such (<c>List&lt;KeyValuePair&lt;string, object?&gt;&gt;</c>). A row's array may be used again for the next.
    /// </summary>
    /// <param name="group">One group alone; null is all.</param>
    /// <exception cref="ConfigException">The file is damaged, or a column has values that are not read.</exception>
    IEnumerable<object?[]> ReadRows(IReadOnlyList<string> names, int? group = null);
}
