using System.Text.Json;
using Fovea.Data.Datasets;
using static Fovea.Data.Datasets.RowFields;

namespace Fovea.Data.Formats;

/// <summary>The list of messages of a sharegpt or openai row.</summary>
internal sealed class MessageReader(RowShape shape, RowDraft draft)
{
    private readonly DatasetColumns columns = shape.Columns;
    private readonly DatasetTags tags = shape.Tags;
    private readonly List<string> problems = draft.Problems;

    internal void Read(JsonElement row)
    {
        if (!row.TryGetProperty(columns.Messages!, out var messages) || messages.ValueKind != JsonValueKind.Array)
        {
            problems.Add($"needs a list of messages in the field '{columns.Messages}'");
            return;
        }

        string? question = null;
        var position = 0;
        foreach (var message in messages.EnumerateArray())
        {
            position++;
            var what = $"message {position}";
            if (message.ValueKind != JsonValueKind.Object)
            {
                problems.Add($"{what} is {Kind(message)}, not an object");
                return;
            }

            var before = problems.Count;
            if (message.TryGetProperty(tags.Content, out var parts) && parts.ValueKind == JsonValueKind.Array)
            {
                problems.Add($"{what}: {tags.Content} is a list of parts; write one text with {Placeholders.Image} where an image goes, "
                    + "and list the images in the row's images");
                return;
            }

            var role = Text(message, tags.Role, problems);
            var content = Text(message, tags.Content, problems);
            if (problems.Count > before)
            {
                problems[^1] = $"{what}: {problems[^1]}";
                return;
            }

            CheckImages(message, what);

            if (!CheckRole(message, role, what))
            {
                return;
            }

            if (content is null)
            {
                problems.Add($"{what} has no '{tags.Content}'");
                return;
            }

            if (position == 1 && role == tags.System)
            {
                draft.System = content;
            }
            else if (role == (question is null ? tags.User : tags.Assistant))
            {
                if (question is null)
                {
                    question = content;
                }
                else
                {
                    draft.Messages.AddRange([new DraftMessage(Role.User, question), new DraftMessage(Role.Assistant, content)]);
                    question = null;
                }
            }
            else
            {
                var expected = question is null ? tags.User : tags.Assistant;
                problems.Add($"{what} is by '{Brief.Of(role!)}' where '{expected}' must speak (questions and answers take turns)");
                return;
            }
        }

        if (question is not null)
        {
            problems.Add("ends with a question: the last message must be an answer");
        }
        else if (draft.Messages.Count == 0)
        {
            problems.Add("has no messages");
        }
    }

    private bool CheckRole(JsonElement message, string? role, string what)
    {
        var calls = message.TryGetProperty("tool_calls", out var tools) && tools.ValueKind == JsonValueKind.Array && tools.GetArrayLength() > 0;
        if (calls || role == tags.Function || role == tags.Observation)
        {
            problems.Add($"{what} is a tool call or its result, which are not supported");
            return false;
        }

        if (role is null)
        {
            problems.Add($"{what} has no '{tags.Role}'");
            return false;
        }

        if (role != tags.User && role != tags.Assistant && role != tags.System)
        {
            problems.Add(
                $"{what} is by '{Brief.Of(role)}'; known roles are '{tags.User}', '{tags.Assistant}' and, first, '{tags.System}' " +
                $"(set tags in {DatasetCatalog.InfoFile})");
            return false;
        }

        return true;
    }

    /// <summary>Images that hang on a message would be left out.</summary>
    private void CheckImages(JsonElement message, string what)
    {
        foreach (var property in message.EnumerateObject().Where(property => property.Name != tags.Role && property.Name != tags.Content))
        {
            if (!IsEmpty(property.Value) && ImageNames.IsImage(property.Name, property.Value, false))
            {
                problems.Add($"{what}: its '{Brief.Of(property.Name)}' holds images, and nothing reads it: list them in the row's images, "
                    + $"and write {Placeholders.Image} where each goes");
            }
        }
    }
}
