using System.Text.Json;
using static Fovea.Data.Datasets.RowFields;

namespace Fovea.Data.Datasets;

/// <summary>Brings alpaca, sharegpt and openai rows into the common form and says everything that is wrong with a row.</summary>
internal sealed class RowConverter(DatasetSpec spec, string mediaDir)
{
    private readonly DatasetColumns columns = spec.Columns;
    private readonly DatasetTags tags = spec.Tags;

    /// <summary>The conversation of one row (counted from 1), or null and at least one more entry in <paramref name="problems"/>.</summary>
    internal Conversation? Convert(JsonElement row, int number, List<string> problems)
    {
        var before = problems.Count;
        if (row.ValueKind != JsonValueKind.Object)
        {
            problems.Add($"is {Kind(row)}, not a JSON object");
            return null;
        }

        var turns = new List<Turn>();
        var system = Text(row, columns.System, problems);
        if (spec.Format == RowFormat.Alpaca)
        {
            ReadAlpaca(row, turns, problems);
        }
        else
        {
            ReadMessages(row, turns, ref system, problems);
        }

        RefuseUnsupported(row, columns.Tools, "tools", problems);
        RefuseUnsupported(row, columns.Videos, "videos", problems);
        RefuseUnsupported(row, columns.Audios, "audios", problems);
        var images = Images(row, turns, problems);
        if (problems.Count == before)
        {
            CheckTurns(turns, images, problems);
        }

        return problems.Count == before ? new Conversation(spec.Name, number, system, turns, images) : null;
    }

    private static int Count(string text, string what)
    {
        var count = 0;
        for (var at = text.IndexOf(what, StringComparison.Ordinal); at >= 0; at = text.IndexOf(what, at + what.Length, StringComparison.Ordinal))
        {
            count++;
        }

        return count;
    }

    private void ReadAlpaca(JsonElement row, List<Turn> turns, List<string> problems)
    {
        if (columns.History is { } history && row.TryGetProperty(history, out var pairs) && pairs.ValueKind != JsonValueKind.Null)
        {
            if (pairs.ValueKind != JsonValueKind.Array)
            {
                problems.Add($"{history} must be a list of [question, answer] pairs, not {Kind(pairs)}");
            }
            else
            {
                foreach (var pair in pairs.EnumerateArray())
                {
                    if (pair.ValueKind != JsonValueKind.Array || pair.GetArrayLength() != 2)
                    {
                        problems.Add($"{history} must be a list of [question, answer] pairs");
                        break;
                    }

                    Add(TextOf(pair[0], history, problems), TextOf(pair[1], history, problems), turns);
                }
            }
        }

        var prompt = Text(row, columns.Prompt, problems) ?? string.Empty;
        var query = Text(row, columns.Query, problems) ?? string.Empty;
        var question = prompt.Length == 0 ? query : query.Length == 0 ? prompt : prompt + "\n" + query;
        var before = problems.Count;
        var answer = Text(row, columns.Response, problems);
        if (answer is null && problems.Count == before)
        {
            problems.Add($"has no answer: the field '{columns.Response}' is missing or null");
        }

        Add(question, answer, turns);
    }

    private static void Add(string? question, string? answer, List<Turn> turns)
    {
        if (question is not null && answer is not null)
        {
            turns.Add(new Turn(question, answer));
        }
    }

    private void ReadMessages(JsonElement row, List<Turn> turns, ref string? system, List<string> problems)
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
            var role = Text(message, tags.Role, problems);
            var content = Text(message, tags.Content, problems);
            if (problems.Count > before)
            {
                problems[^1] = $"{what}: {problems[^1]}";
                return;
            }

            if (!CheckRole(message, role, what, problems))
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
                system = content;
            }
            else if (role == (question is null ? tags.User : tags.Assistant))
            {
                if (question is null)
                {
                    question = content;
                }
                else
                {
                    turns.Add(new Turn(question, content));
                    question = null;
                }
            }
            else
            {
                var expected = question is null ? tags.User : tags.Assistant;
                problems.Add($"{what} is by '{role}' where '{expected}' must speak (questions and answers take turns)");
                return;
            }
        }

        if (question is not null)
        {
            problems.Add("ends with a question: the last message must be an answer");
        }
        else if (turns.Count == 0)
        {
            problems.Add("has no messages");
        }
    }

    private bool CheckRole(JsonElement message, string? role, string what, List<string> problems)
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
                $"{what} is by '{role}'; known roles are '{tags.User}', '{tags.Assistant}' and, first, '{tags.System}' " +
                $"(set tags in {DatasetCatalog.InfoFile})");
            return false;
        }

        return true;
    }

    private string[] Images(JsonElement row, List<Turn> turns, List<string> problems)
    {
        if (columns.Images is not { } column || !row.TryGetProperty(column, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return [];
        }

        if (value.ValueKind == JsonValueKind.Object)
        {
            return [.. NamedImages.Resolve(value, turns, problems).Select(path => Find(path, problems))];
        }

        if (value.ValueKind == JsonValueKind.String && column == "image")
        {
            NamedImages.Place(turns);
        }

        if (value.ValueKind is not (JsonValueKind.Array or JsonValueKind.String))
        {
            problems.Add($"{column} must be a list of paths, not {Kind(value)}");
            return [];
        }

        // MiniMind-V names several images in one text.
        if (value.ValueKind == JsonValueKind.String && value.GetString() is { } list && list.Contains(',', StringComparison.Ordinal)
            && !File.Exists(Path.Combine(mediaDir, list)))
        {
            return [.. list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(path => Find(path, problems))];
        }

        var count = value.ValueKind == JsonValueKind.Array ? value.GetArrayLength() : 1;
        var paths = new string[count];
        for (var i = 0; i < count; i++)
        {
            var path = TextOf(value.ValueKind == JsonValueKind.Array ? value[i] : value, $"{column}[{i}]", problems);
            paths[i] = path is null ? string.Empty : Find(path, problems);
        }

        return paths;
    }

    private string Find(string path, List<string> problems)
    {
        var inMedia = Path.Combine(mediaDir, path);
        if (File.Exists(inMedia))
        {
            return inMedia;
        }

        if (File.Exists(path))
        {
            return path;
        }

        problems.Add($"image '{path}' does not exist (media_dir is {mediaDir}){UserPath.NotInRows(path)}");
        return path;
    }

    private void CheckTurns(List<Turn> turns, string[] images, List<string> problems)
    {
        var placeholders = 0;
        for (var i = 0; i < turns.Count; i++)
        {
            var (user, assistant) = turns[i];
            placeholders += Count(user, Conversation.ImagePlaceholder) + Count(assistant, Conversation.ImagePlaceholder);
            if (string.IsNullOrWhiteSpace(assistant))
            {
                problems.Add(turns.Count == 1 ? "the answer is empty" : $"answer {i + 1} is empty");
            }

            foreach (var media in (string[])["<video>", "<audio>"])
            {
                if (user.Contains(media, StringComparison.Ordinal) || assistant.Contains(media, StringComparison.Ordinal))
                {
                    problems.Add($"the text holds {media}, which is not supported");
                }
            }
        }

        if (placeholders != images.Length)
        {
            var remedy = columns.Images is null ? " (the data set's columns name no images field)" : string.Empty;
            problems.Add($"the text holds {placeholders} {Conversation.ImagePlaceholder} but the row lists {images.Length} image(s){remedy}");
        }
    }
}
