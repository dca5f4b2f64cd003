using System.Text.Json;
using Fovea.Data.Datasets;

namespace Fovea.Data.Formats;

/// <summary>
/// How rows write a conversation: which fields they have, and what is in them. A further way is a class with these methods and a line in
/// <see cref="RowFormats"/>.
/// </summary>
internal interface IRowFormat
{
    /// <summary>As <c>formatting</c> in <c>dataset_info.json</c> names it; null for one that rows alone show.</summary>
    string? Name { get; }

    /// <summary>Field and role names inside a list of messages; null where there is no such list.</summary>
    DatasetTags? Tags { get; }

    /// <summary>The columns where <c>dataset_info.json</c> names none.</summary>
    DatasetColumns Columns { get; }

    /// <summary>Keys of <c>columns</c> that mean nothing in this format.</summary>
    IReadOnlyList<string> WithoutEffect { get; }

    /// <summary>The columns that <c>dataset_info.json</c> names: what it leaves out is not read, but for what no row can do without.</summary>
    /// <param name="common">With the columns that every format has.</param>
    /// <param name="named">What a key of <c>columns</c> names; null where it is not there.</param>
    DatasetColumns Describe(DatasetColumns common, Func<string, string?> named);

    /// <summary>The key of <c>columns</c> by which a field of this name would be given; null for none of the format's own.</summary>
    string? KeyFor(string field);

    /// <summary>How a row without a description is to be read; null where it is not written in this way.</summary>
    /// <param name="common">With the columns that every format has.</param>
    RowShape? Recognise(JsonElement row, DatasetColumns common);

    /// <summary>Reads the messages into the draft, or adds to its problems.</summary>
    void Read(JsonElement row, RowShape shape, RowDraft draft);
}
