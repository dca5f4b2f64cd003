using System.Collections.Concurrent;
using System.Text.Json;
using Fovea.Data.Formats;
using Fovea.Data.Objects;
using Fovea.Data.Readers;
using Fovea.Data.Templates;
using static Fovea.Data.Datasets.RowFields;

namespace Fovea.Data.Datasets;

/// <summary>
/// Brings alpaca, sharegpt and openai rows into the common form and says everything that is wrong with a row. Each row is read by itself: which fields it
/// has, no other row decides.
/// </summary>
/// <param name="mustExist">Whether an image that is not there is a problem.</param>
/// <param name="takesTools">Whether the template writes tools, their calls and results; they are a problem where it does not.</param>
internal sealed class RowConverter(DatasetSpec spec, string mediaDir, bool mustExist = true, bool takesTools = false)
{
    // Most datasets have the same few fields in every row; those whose fields are names of things are looked at each time.
    private const int MostNames = 256;
    private readonly ConcurrentDictionary<string, bool> likeImages = new(StringComparer.Ordinal);

    /// <summary>The conversation of one row (counted from 1), or null and at least one more entry in <paramref name="problems"/>.</summary>
    /// <param name="use">Collects the fields that are not read; null if nobody asks.</param>
    internal Conversation? Convert(Row source, int number, List<string> problems, ColumnUse? use = null)
    {
        var row = source.RootElement;
        if (row.ValueKind != JsonValueKind.Object)
        {
            problems.Add($"is {Kind(row)}, not a JSON object");
            return null;
        }

        try
        {
            if ((spec.Shape ?? RowShape.Of(row)) is { } shape)
            {
                return Convert(row, shape, number, new ImageValues(mediaDir, source, mustExist), problems, use);
            }

            problems.Add($"is not recognised: it needs {RowShape.Needs}, and has {Brief.List([.. row.EnumerateObject().Select(p => p.Name)])}; "
                + $"describe other field names in {DatasetCatalog.InfoFile}");
        }
        catch (InvalidOperationException)
        {
            problems.Add("the name of a field, or text in one, is not valid Unicode (half a surrogate pair, or not UTF-8)");
        }

        return null;
    }

    private Conversation? Convert(JsonElement row, RowShape shape, int number, ImageValues values, List<string> problems, ColumnUse? use)
    {
        var before = problems.Count;
        var columns = shape.Columns;
        var draft = new RowDraft(problems, takesTools) { System = Text(row, columns.System, problems) };
        shape.Format.Read(row, shape, draft);
        var messages = draft.Messages;
        var tools = Tools(row, columns.Tools, problems);
        RefuseUnsupported(row, columns.Videos, "videos", problems);
        RefuseUnsupported(row, columns.Audios, "audios", problems);
        var images = columns.Images is { } column && row.TryGetProperty(column, out var value) && !IsEmpty(value)
            ? Images(column, value, messages, values, problems)
            : [];
        var weight = columns.Weight is { } factor ? Number(row, factor, 0, above: true, problems) : null;
        CheckOthers(row, columns, images.Count > 0, problems, use);
        var objects = problems.Count == before ? Objects(row, shape, messages, problems, use) : null;
        if (problems.Count == before)
        {
            CheckTexts(messages, images.Count, columns, problems);
        }

        return problems.Count == before
            ? DraftMessage.Finish(draft.System, messages, images, objects, tools, new ConversationOrigin(spec.Name, number)) with { Weight = weight ?? 1 }
            : null;
    }

    /// <summary>The row's tools in OpenAI's form; null where it has none.</summary>
    private string? Tools(JsonElement row, string? column, List<string> problems)
    {
        if (column is null || !row.TryGetProperty(column, out var value) || IsEmpty(value))
        {
            return null;
        }

        if (takesTools)
        {
            return ToolJson.Tools(value, column, problems);
        }

        problems.Add($"has tools, which the template does not write: {Exchanges.Remedy}");
        return null;
    }

    /// <summary>The row's objects; null where it has none, and the marks in its text are text.</summary>
    private static RowObjects? Objects(JsonElement row, RowShape shape, List<DraftMessage> messages, List<string> problems, ColumnUse? use)
    {
        if (shape.Columns.Objects is not { } column || !row.TryGetProperty(column, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        var (names, places) = RowObjects.Room(messages.Select(message => message.Text));
        if ((names, places) is (0, 0))
        {
            use?.Unread(column); // annotations that the text does not ask for
            return null;
        }

        var objects = IsEmpty(value) ? new RowObjects([], []) : RowObjects.Read(column, value, shape.Unit, problems);
        if (objects is null)
        {
            return null;
        }

        Compare(names, RowObjects.NameMark, objects.Names.Count, "ref");
        Compare(places, RowObjects.PlaceMark, objects.Places.Count, "bbox");
        return objects;

        void Compare(int room, string mark, int given, string list)
        {
            if (room != given)
            {
                problems.Add($"the text holds {room} {mark} but {column}.{list} lists {given}");
            }
        }
    }

    /// <summary>Fields that are not read: images among them would be missing from what is trained, others are reported once.</summary>
    private void CheckOthers(JsonElement row, DatasetColumns columns, bool hasImages, List<string> problems, ColumnUse? use)
    {
        foreach (var property in row.EnumerateObject().Where(property => !columns.Reads(property.Name) && !IsEmpty(property.Value)))
        {
            var name = property.Name;
            if (!IsLikeImage(name) || !ImageNames.IsImage(name, property.Value, hasImages))
            {
                use?.Unread(name);
                continue;
            }

            var shown = Brief.Of(name);
            var remedy = hasImages ? $"the row's images are read from '{columns.Images}': put all of them there"
                : spec.Shape is null ? $"name it images, or describe it in {DatasetCatalog.InfoFile} (\"columns\": {{\"images\": \"{shown}\"}})"
                : $"write \"images\": \"{shown}\" into the columns of '{spec.Name}' in {DatasetCatalog.InfoFile}"
                    + (columns.Images is null ? string.Empty : $", which say '{columns.Images}'");
            problems.Add($"the field '{shown}' holds images, and nothing reads it: {remedy}");
        }
    }

    private bool IsLikeImage(string name)
    {
        if (!likeImages.TryGetValue(name, out var isLike))
        {
            isLike = ImageNames.IsLike(name);
            if (likeImages.Count < MostNames)
            {
                likeImages[name] = isLike;
            }
        }

        return isLike;
    }

    private List<MediaSource> Images(
        string column, JsonElement value, List<DraftMessage> messages, ImageValues values, List<string> problems)
    {
        if (value.ValueKind == JsonValueKind.Object && !ImageValues.IsOne(value))
        {
            return Read(NamedImages.Resolve(value, messages, problems).Select(image => (image.Value, $"{column}.{Brief.Of(image.Name)}")));
        }

        if (value.ValueKind == JsonValueKind.Array)
        {
            return Read(value.EnumerateArray().Select((image, i) => (image, $"{column}[{i}]")));
        }

        if (column == "image")
        {
            NamedImages.Place(messages);
        }

        // MiniMind-V names several images in one text.
        if (value.ValueKind == JsonValueKind.String && TextOf(value, column, problems) is { } list && list.Contains(',', StringComparison.Ordinal)
            && !ImageValues.IsWhole(list) && !File.Exists(Path.Combine(mediaDir, list)))
        {
            var paths = list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            return [.. paths.Select((path, i) => values.FromText(path, $"{column}[{i}]", problems)).OfType<MediaSource>()];
        }

        return Read([(value, column)]);

        List<MediaSource> Read(IEnumerable<(JsonElement Value, string What)> images) =>
            [.. images.Select(image => values.Read(image.Value, image.What, problems)).OfType<MediaSource>()];
    }

    private static void CheckTexts(List<DraftMessage> messages, int images, DatasetColumns columns, List<string> problems)
    {
        var placeholders = messages.Sum(message => Placeholders.Count(message.Text));
        var answers = messages.Count(message => message.Role == Role.Assistant);
        var (answer, question) = (0, string.Empty);
        foreach (var message in messages)
        {
            var (role, text) = message;
            if (role != Role.Assistant)
            {
                question = text;
                continue;
            }

            answer++;
            if (string.IsNullOrWhiteSpace(text) && message.Calls.Count == 0)
            {
                problems.Add(answers == 1 ? "the answer is empty" : $"answer {answer} is empty");
            }

            foreach (var media in (string[])["<video>", "<audio>"])
            {
                if (question.Contains(media, StringComparison.Ordinal) || text.Contains(media, StringComparison.Ordinal))
                {
                    problems.Add($"the text holds {media}, which is not supported");
                }
            }
        }

        if (placeholders != images)
        {
            var remedy = columns.Images is null ? " (the dataset's columns name no images field)" : string.Empty;
            problems.Add($"the text holds {placeholders} {Placeholders.Image} but the row lists {images} image(s){remedy}");
        }
    }
}
