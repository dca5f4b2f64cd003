using System.Text.Json;
using Fovea.Data.Datasets;

namespace Fovea.Data.Formats;

/// <summary>
/// The rows of a model's own trainer: messages of <c>role</c> and <c>content</c>, and under <c>image</c> one picture or several that are named in the text
/// (<see cref="NamedImages"/>). No entry of <c>dataset_info.json</c> names it.
/// </summary>
internal sealed class OfficialFormat : MessagesFormat
{
    public override string? Name => null;

    public override DatasetTags Tags => DatasetTags.OpenAi;

    protected override string Field => "conversations";

    protected override bool IsWrittenIn(JsonElement row, JsonElement list) => HasRoles(list) && RowShape.Holds(row, "image");
}
