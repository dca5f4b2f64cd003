using System.Text.Json;
using Fovea.Data.Datasets;

namespace Fovea.Data.Formats;

/// <summary>Messages of <c>from</c> and <c>value</c>.</summary>
internal sealed class ShareGptFormat : MessagesFormat
{
    public override string Name => "sharegpt";

    public override DatasetTags Tags => new();

    protected override string Field => "conversations";

    protected override bool IsWrittenIn(JsonElement row, JsonElement list) => true;
}
