using System.Text.Json;
using Fovea.Data.Datasets;

namespace Fovea.Data.Formats;

/// <summary>A list of messages under one field. The formats differ in the names of the fields and roles within it.</summary>
internal abstract class MessagesFormat : IRowFormat
{
    public abstract string? Name { get; }

    public abstract DatasetTags Tags { get; }

    public DatasetColumns Columns => new() { Messages = Field };

    public IReadOnlyList<string> WithoutEffect => ["prompt", "query", "response", "history"];

    /// <summary>The field of the list where nothing names another.</summary>
    protected abstract string Field { get; }

    public DatasetColumns Describe(DatasetColumns common, Func<string, string?> named) => common with { Messages = named("messages") ?? Field };

    public string? KeyFor(string field) => field is "conversations" or "messages" ? "messages" : null;

    public RowShape? Recognise(JsonElement row, DatasetColumns common) =>
        RowShape.First(row, "messages", "conversations") is { } field && IsWrittenIn(row, row.GetProperty(field))
            ? new RowShape(this, common with { Messages = field }, Tags)
            : null;

    public void Read(JsonElement row, RowShape shape, RowDraft draft) => new MessageReader(shape, draft).Read(row);

    /// <summary>Whether a row without a description is this format's.</summary>
    protected abstract bool IsWrittenIn(JsonElement row, JsonElement list);

    /// <summary>Whether messages name their speaker by <c>role</c>.</summary>
    protected static bool HasRoles(JsonElement list) => list.ValueKind == JsonValueKind.Array && list.EnumerateArray().Any(message =>
        message.ValueKind == JsonValueKind.Object && message.TryGetProperty(DatasetTags.OpenAi.Role, out _));
}
