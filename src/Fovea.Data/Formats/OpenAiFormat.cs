using System.Text.Json;
using Fovea.Data.Datasets;

namespace Fovea.Data.Formats;

/// <summary>Messages of <c>role</c> and <c>content</c>.</summary>
internal sealed class OpenAiFormat : MessagesFormat
{
    public override string Name => "openai";

    public override DatasetTags Tags => DatasetTags.OpenAi;

    protected override string Field => "messages";

    protected override bool IsWrittenIn(JsonElement row, JsonElement list) => HasRoles(list);
}
