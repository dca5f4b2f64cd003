using System.Text.Json;
using Fovea.Data.Datasets;
using Fovea.Data.Readers;
using Fovea.Evaluation.Tables;

namespace Fovea.Evaluation.Custom;

/// <summary>
/// Rows with expected answers: in the formats that training reads (the last answer is the expected one), or with fields for question, images and answers.
/// </summary>
internal static class CustomRows
{
    private const int Most = 20;
    private static readonly string[] QuestionFields = ["question", "prompt", "query", "text"];
    private static readonly string[] AnswerFields = ["answers", "answer", "expected", "label", "target", "truth", "bbox"];
    private static readonly string[] ImageFields = ["images", "image", "image_path", "image_paths", "img", "image_bytes"];
    private static readonly string[] IdFields = ["id", "question_id", "index", "key"];
    private static readonly string[] GroupFields = ["category", "type", "question_type", "answer_type", "split", "difficulty", "subject", "topic"];

    /// <param name="input">Says where images are, and which rows are asked.</param>
    /// <exception cref="ConfigException">The file cannot be read, or rows cannot be used; names them.</exception>
    public static IReadOnlyList<BenchmarkItem> Read(string path, BenchmarkInput input, string prompt)
    {
        if (Path.GetExtension(path).Equals(".tsv", StringComparison.OrdinalIgnoreCase))
        {
            return [.. TableFiles.Read("custom", input).Select((row, i) => FromTable(row, i, input, prompt))];
        }

        if (!RowReaders.Knows(path))
        {
            throw new ConfigException($"{path}: rows are read from .tsv, {RowReaders.Endings}; {RowReaders.Remedy(path)}");
        }

        var folder = input.Images ?? Path.GetDirectoryName(Path.GetFullPath(path))!;
        var problems = new List<string>();
        var items = new List<BenchmarkItem>();
        using var rows = RowReaders.Open(path, null);
        for (var i = 0; i < rows.Count; i++)
        {
            var found = new List<string>();
            try
            {
                using var row = rows.Read(i);
                if (Item(row, i, folder, path, input.Asks(i), prompt, found) is { } item)
                {
                    items.Add(item);
                }
            }
            catch (JsonException e)
            {
                found.Add(e.Message);
            }

            problems.AddRange(found.Select(problem => $"{path}, {rows.PlaceOf(i) ?? $"row {i + 1}"}: {problem}"));
        }

        return problems.Count == 0 ? items
            : throw new ConfigException(problems.Count <= Most ? problems : [.. problems.Take(Most), $"and {problems.Count - Most} more"]);
    }

    private static BenchmarkItem? Item(
        Row source, int index, string folder, string path, bool isAsked, string prompt, List<string> problems)
    {
        var row = source.RootElement;
        if (row.ValueKind == JsonValueKind.Object && RowShape.Of(row) is null)
        {
            return FromFields(source, index, folder, isAsked, prompt, problems);
        }

        var spec = new DatasetSpec(Path.GetFileName(path), [path], null);
        return new RowConverter(spec, folder, isAsked).Convert(source, index + 1, problems) is { } conversation
            ? FromConversation(row, conversation, index, prompt, problems)
            : null;
    }

    /// <summary>The last answer of a training row is the expected one; what is before its question is history.</summary>
    private static BenchmarkItem? FromConversation(JsonElement row, Conversation conversation, int index, string prompt, List<string> problems)
    {
        if (conversation.Messages.ToArray() is not [.. var before, { Role: Role.User } question, { Role: Role.Assistant } answer])
        {
            problems.Add("must end with a question and its expected answer");
            return null;
        }

        var expected = string.Concat(answer.Parts.OfType<Text>());
        return new BenchmarkItem
        {
            Id = Id(row, index),
            Before = before,
            Turns = [Prompted(question, prompt)],
            Question = string.Concat(question.Parts.OfType<Text>()).Trim(),
            Expected = expected,
            Groups = Groups(row),
            Truth = (IReadOnlyList<string>)[expected],
        };
    }

    private static Message Prompted(Message question, string prompt) => prompt == "{question}" ? question : question with
    {
        Parts = [.. question.Parts.Select((part, i) => part is Text text && i == LastText(question)
            ? new Text(Questions.Ask(prompt, text.Value)) : part)],
    };

    private static int LastText(Message message)
    {
        for (var i = message.Parts.Count - 1; i >= 0; i--)
        {
            if (message.Parts[i] is Text)
            {
                return i;
            }
        }

        return -1;
    }

    private static BenchmarkItem? FromFields(
        Row source, int index, string folder, bool isAsked, string prompt, List<string> problems)
    {
        var row = source.RootElement;
        var question = Field(row, QuestionFields);
        var answers = Field(row, AnswerFields) is { } value ? Answers(value.Value) : [];
        if (question?.Value.ValueKind != JsonValueKind.String)
        {
            problems.Add($"has no text in {string.Join(", ", QuestionFields)}");
        }

        if (answers.Count == 0)
        {
            problems.Add($"has no expected answer in {string.Join(", ", AnswerFields)}");
        }

        var media = new List<MediaSource>();
        if (Field(row, ImageFields) is { } images)
        {
            var values = new ImageValues(folder, source, isAsked);
            var listed = images.Value.ValueKind == JsonValueKind.Array ? images.Value.EnumerateArray().ToArray() : [images.Value];
            var read = listed.Select((one, i) => values.Read(one, listed.Length > 1 ? $"{images.Name}[{i}]" : images.Name, problems));
            media.AddRange(read.OfType<MediaSource>());
        }

        if (problems.Count > 0)
        {
            return null;
        }

        var asked = question!.Value.Value.GetString()!;
        var text = Questions.Ask(prompt, asked);
        var places = Placeholders.Count(text);
        if (places > media.Count)
        {
            problems.Add($"has {places} times <image> in its question, and {media.Count} images");
            return null;
        }

        var next = 0;
        var lead = string.Concat(Enumerable.Repeat(Placeholders.Image, media.Count - places));
        return new BenchmarkItem
        {
            Id = Id(row, index),
            Turns = [new Message(Role.User, Placeholders.Split(lead + text, () => media[next++]))],
            Question = asked,
            Expected = string.Join(" | ", answers),
            Groups = Groups(row),
            Truth = answers,
        };
    }

    private static BenchmarkItem FromTable(TableRow row, int index, BenchmarkInput input, string prompt)
    {
        if (input.Asks(index))
        {
            row.RequirePictures();
        }

        var (question, answers) = (row.Text(QuestionFields), row.Texts(AnswerFields));
        return new BenchmarkItem
        {
            Id = row.TextOrNull(IdFields) ?? $"{index + 1}",
            Turns = [new Message(Role.User, [.. row.Pictures.Select(picture => new Image(picture.Source)), new Text(Questions.Ask(prompt, question))])],
            Question = question,
            Expected = string.Join(" | ", answers),
            Groups = GroupFields.Where(name => row.Has(name)).ToDictionary(name => name, name => row.Text(name)),
            Truth = answers,
        };
    }

    private static (string Name, JsonElement Value)? Field(JsonElement row, string[] names)
    {
        foreach (var name in names)
        {
            if (row.TryGetProperty(name, out var value) && !RowFields.IsEmpty(value))
            {
                return (name, value);
            }
        }

        return null;
    }

    /// <summary>One answer or several; a list of numbers is one (a box), and so is an object (JSON fields).</summary>
    private static IReadOnlyList<string> Answers(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array when value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number) => [value.GetRawText()],
        JsonValueKind.Array => [.. value.EnumerateArray().Select(item => item.ValueKind == JsonValueKind.String ? item.GetString()! : item.GetRawText())],
        JsonValueKind.String => [value.GetString()!],
        JsonValueKind.Null => [],
        _ => [value.GetRawText()],
    };

    private static string Id(JsonElement row, int index) => Field(row, IdFields) is { Value.ValueKind: JsonValueKind.String or JsonValueKind.Number } id
        ? $"{id.Value}" : $"{index + 1}";

    private static Dictionary<string, string> Groups(JsonElement row) => GroupFields
        .Where(name => row.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String or JsonValueKind.Number)
        .ToDictionary(name => name, name => $"{row.GetProperty(name)}");
}
