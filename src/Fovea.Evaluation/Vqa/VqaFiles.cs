using System.Text.Json;

namespace Fovea.Evaluation.Vqa;

/// <summary>
/// The official two files of VQA: questions, and what ten people answered to each. The order is that of the answers' file, as in the original.
/// </summary>
internal static class VqaFiles
{
    private const string Val = "val2014";

    /// <summary>
    /// The two files that the input names; null where it names none of this form. The questions may be missing where only scores are asked for.
    /// </summary>
    /// <exception cref="ConfigException">The answers are missing, or several splits lie there.</exception>
    public static (string? Questions, string Annotations)? Find(VqaSet set, BenchmarkInput input)
    {
        if (input.Questions is null && input.Annotations is null)
        {
            return set.Prefix is null || input.Data is not { } data ? null
                : Directory.Exists(data) ? InFolder(set.Prefix, data)
                : data.EndsWith("_annotations.json", StringComparison.Ordinal) ? Find(set, input with { Annotations = data })
                : data.EndsWith("_questions.json", StringComparison.Ordinal) ? Find(set, input with { Questions = data })
                : null;
        }

        var annotations = input.Annotations ?? Beside(input.Questions!, "OpenEnded_mscoco_", "mscoco_", "_questions.", "_annotations.")
            ?? throw new ConfigException(
                $"{set.Name} needs the answers that people gave beside {input.Questions}: --annotations mscoco_val2014_annotations.json");
        var questions = input.Questions ?? Beside(annotations, "mscoco_", "OpenEnded_mscoco_", "_annotations.", "_questions.");
        return questions is null && !input.ScoresOnly
            ? throw new ConfigException($"{set.Name} needs the questions beside {annotations}: --questions OpenEnded_mscoco_val2014_questions.json")
            : (questions, annotations);
    }

    /// <exception cref="ConfigException">A file is malformed, or an image is missing.</exception>
    public static List<BenchmarkItem> Read(string? questionsPath, string path, BenchmarkInput input, Func<string, IReadOnlyList<Part>, Message> ask)
    {
        var (questions, split) = questionsPath is null ? ([], null) : Questions(questionsPath);
        var items = new List<BenchmarkItem>();
        var (seen, problems, pool) = (new HashSet<string>(StringComparer.Ordinal), new List<string>(), new Dictionary<string, string>(StringComparer.Ordinal));
        using var document = JsonFile.ReadObject(path, "the official file of answers");
        var names = NamesOfTypes(document.RootElement);
        var images = new CocoImages(input.Images ?? Path.GetDirectoryName(Path.GetFullPath(questionsPath ?? path))!,
            split ?? OfficialJson.TextOrNull(document.RootElement, "data_subtype"));
        foreach (var (place, row) in OfficialJson.Rows(document.RootElement, "annotations", path))
        {
            try
            {
                var id = OfficialJson.Id(row, "question_id", place);
                var truth = new VqaTruth(Answers(row, place, pool));
                var asked = questions.GetValueOrDefault(id);
                if (!seen.Add(id))
                {
                    throw new ConfigException($"{place}: question_id {id} stands twice");
                }

                if (questionsPath is not null && asked == default)
                {
                    throw new ConfigException($"{place}: question_id {id} is not in {questionsPath}");
                }

                items.Add(new BenchmarkItem
                {
                    Id = id,
                    Turns = [ask(asked.Text ?? string.Empty, input.ScoresOnly ? [] : [Picture(images, asked.Image!, place, input.Asks(items.Count))])],
                    Question = asked.Text ?? string.Empty,
                    Expected = truth.Show(),
                    Groups = Groups(row, names, pool),
                    Truth = truth,
                });
            }
            catch (ConfigException e)
            {
                problems.AddRange(e.Problems);
            }
        }

        return problems.Count > 0 ? throw new ConfigException(Problems.Some(problems))
            : items.Count > 0 ? items : throw new ConfigException($"{path} has no annotations");
    }

    /// <summary>The image of a question.</summary>
    /// <param name="isAsked">Whether it must be there.</param>
    /// <exception cref="ConfigException">There is none.</exception>
    internal static Image Picture(CocoImages images, string id, string place, bool isAsked) => images.Find(id) is { } file ? Image.FromFile(file)
        : !isAsked ? Image.FromFile(images.Place(id))
        : throw new ConfigException($"{place}: there is no image {images.Example(id)}, nor under the other names of image {id}; name the folder with --images");

    private static (Dictionary<string, (string Text, string Image)> Questions, string? Split) Questions(string path)
    {
        using var document = JsonFile.ReadObject(path, "the official file of questions");
        var questions = new Dictionary<string, (string, string)>(StringComparer.Ordinal);
        foreach (var (place, row) in OfficialJson.Rows(document.RootElement, "questions", path))
        {
            var id = OfficialJson.Id(row, "question_id", place);
            if (!questions.TryAdd(id, (OfficialJson.Text(row, "question", place), OfficialJson.Id(row, "image_id", place))))
            {
                throw new ConfigException($"{place}: question_id {id} stands twice");
            }
        }

        return (questions, OfficialJson.TextOrNull(document.RootElement, "data_subtype"));
    }

    private static string[] Answers(JsonElement row, string place, Dictionary<string, string> pool)
    {
        if (!row.TryGetProperty("answers", out var list) || list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0)
        {
            throw new ConfigException($"{place} has no answers, a list of what ten people said");
        }

        var answers = new string[list.GetArrayLength()];
        var i = 0;
        foreach (var answer in list.EnumerateArray())
        {
            answers[i] = Pooled(answer.ValueKind == JsonValueKind.String ? answer.GetString()!
                : answer.ValueKind == JsonValueKind.Object ? OfficialJson.Text(answer, "answer", $"{place}.answers[{i}]")
                : throw new ConfigException($"{place}.answers[{i}] must be an object with 'answer', not {JsonText.Kind(answer)}"), pool);
            i++;
        }

        return answers;
    }

    /// <summary>OK-VQA calls its types of questions one, two, three in the rows, and says of which kind each is beside them.</summary>
    private static Dictionary<string, string> NamesOfTypes(JsonElement root) =>
        root.TryGetProperty("question_types", out var types) && types.ValueKind == JsonValueKind.Object
            ? types.EnumerateObject().Where(type => type.Value.ValueKind == JsonValueKind.String)
                .DistinctBy(type => type.Name).ToDictionary(type => type.Name, type => type.Value.GetString()!, StringComparer.Ordinal)
            : [];

    private static Dictionary<string, string> Groups(JsonElement row, Dictionary<string, string> names, Dictionary<string, string> pool)
    {
        var groups = new Dictionary<string, string>(2);
        foreach (var kind in VqaBenchmark.Kinds)
        {
            if (OfficialJson.TextOrNull(row, kind) is { } group)
            {
                groups[kind] = Pooled(kind == VqaBenchmark.Kinds[0] ? names.GetValueOrDefault(group, group) : group, pool);
            }
        }

        return groups;
    }

    // Two million answers are a few ten thousand different ones.
    private static string Pooled(string text, Dictionary<string, string> pool) => pool.TryGetValue(text, out var known) ? known : pool[text] = text;

    private static (string?, string)? InFolder(string prefix, string folder)
    {
        var found = Directory.EnumerateFiles(folder, $"{prefix}mscoco_*_annotations.json").Order(StringComparer.Ordinal).ToList();
        var one = found.Count == 1 ? found[0] : found.Find(file => file.Contains(Val, StringComparison.Ordinal));
        return found.Count == 0 ? Path.Combine(folder, CocoImages.Annotations) is var inner && Directory.Exists(inner) ? InFolder(prefix, inner) : null
            : one is null ? throw new ConfigException(
                $"{folder} has answers of several splits: {string.Join(", ", found.Select(Path.GetFileName))}; name one with --annotations")
            : (Beside(one, "mscoco_", "OpenEnded_mscoco_", "_annotations.", "_questions."), one);
    }

    /// <summary>The file that belongs to another by its name; null where there is none.</summary>
    private static string? Beside(string path, string from, string to, string end, string otherEnd)
    {
        var name = Path.GetFileName(path);
        name = name.Replace(from, to, StringComparison.Ordinal).Replace(end, otherEnd, StringComparison.Ordinal);
        var other = Path.Combine(Path.GetDirectoryName(path) ?? string.Empty, name);
        return other != path && File.Exists(other) ? other : null;
    }
}
