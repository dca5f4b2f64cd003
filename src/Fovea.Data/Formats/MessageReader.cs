using System.Text.Json;
using Fovea.Data.Datasets;
using Fovea.Data.Templates;
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

        var asked = new List<DraftMessage>();
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

            var calls = Calls(message, role!, ref content, what);
            if (content is null && calls.Count == 0)
            {
                problems.Add($"{what} has no '{tags.Content}'");
                return;
            }

            if (position == 1 && role == tags.System)
            {
                draft.System = content;
            }
            else if (Asks(role!, asked))
            {
                var isResult = role == tags.Observation;
                asked.Add(new DraftMessage(isResult ? Role.Tool : Role.User, content!) { CallId = isResult ? Text(message, "tool_call_id", problems) : null });
            }
            else if ((role == tags.Assistant || role == tags.Function) && asked.Count > 0)
            {
                draft.Messages.AddRange([.. asked, new DraftMessage(Role.Assistant, content ?? string.Empty)
                {
                    Calls = calls,
                    Trained = Flag(message, "loss", what),
                    Weight = Scale(message, what),
                }]);
                asked.Clear();
            }
            else
            {
                var expected = asked.Count == 0 ? tags.User : tags.Assistant;
                problems.Add($"{what} is by '{Brief.Of(role!)}' where '{expected}' must speak (questions and answers take turns)");
                return;
            }
        }

        if (asked.Count > 0)
        {
            problems.Add($"ends with {(asked[0].Role == Role.Tool ? "the result of a tool call" : "a question")}: the last message must be an answer");
        }
        else if (draft.Messages.Count == 0)
        {
            problems.Add("has no messages");
        }
    }

    /// <summary>Whether a speaker may ask: a person who has not yet; a tool behind an answer, alone or among others.</summary>
    private bool Asks(string role, List<DraftMessage> asked) =>
        role == tags.Observation ? draft.Messages.Count > 0 && (asked.Count == 0 || asked[0].Role == Role.Tool) : role == tags.User && asked.Count == 0;

    /// <summary>The tools that a message calls.</summary>
    /// <param name="content">Becomes the text beside them.</param>
    private List<ToolCall> Calls(JsonElement message, string role, ref string? content, string what)
    {
        var before = problems.Count;
        List<ToolCall> calls = [];
        if (HasCalls(message, out var list) && (role == tags.Assistant || role == tags.Function))
        {
            calls = ToolJson.Calls(list, problems);
        }
        else if (role == tags.Function && content is not null)
        {
            calls = ToolJson.OfTurn(ref content, problems);
        }

        for (var i = before; i < problems.Count; i++)
        {
            problems[i] = $"{what}: {problems[i]}";
        }

        return calls;
    }

    private static bool HasCalls(JsonElement message, out JsonElement calls) =>
        message.TryGetProperty("tool_calls", out calls) && calls.ValueKind == JsonValueKind.Array && calls.GetArrayLength() > 0;

    private bool CheckRole(JsonElement message, string? role, string what)
    {
        var isOfTools = HasCalls(message, out _) || role == tags.Function || role == tags.Observation;
        if (isOfTools && !draft.TakesTools)
        {
            problems.Add($"{what} is a tool call or its result, which the template does not write: {Exchanges.Remedy}");
            return false;
        }

        if (role is null)
        {
            problems.Add($"{what} has no '{tags.Role}'");
            return false;
        }

        if (role != tags.User && role != tags.Assistant && role != tags.System && !isOfTools)
        {
            problems.Add(
                $"{what} is by '{Brief.Of(role)}'; known roles are '{tags.User}', '{tags.Assistant}' and, first, '{tags.System}' " +
                $"(set tags in {DatasetCatalog.InfoFile})");
            return false;
        }

        return true;
    }

    /// <summary>Whether ms-swift's <c>loss</c> has an answer trained; null where it does not say.</summary>
    private bool? Flag(JsonElement message, string field, string what)
    {
        if (!message.TryGetProperty(field, out var value) || IsEmpty(value))
        {
            return null;
        }

        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            return value.GetBoolean();
        }

        problems.Add($"{what}: {field} must be true or false, not {Kind(value)}");
        return null;
    }

    /// <summary>ms-swift's <c>loss_scale</c> of an answer.</summary>
    private double? Scale(JsonElement message, string what)
    {
        var before = problems.Count;
        var scale = Number(message, "loss_scale", 0, above: false, problems);
        if (problems.Count > before)
        {
            problems[^1] = $"{what}: {problems[^1]}";
        }

        return scale;
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
