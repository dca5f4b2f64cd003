using System.Text.Json;

namespace Fovea.Data.Datasets;

/// <summary>Turns the names in a configuration into data sets: by <c>dataset_info.json</c>, or directly by path.</summary>
public static class DatasetCatalog
{
    public const string InfoFile = "dataset_info.json";

    /// <summary>Resolves every name; all that is wrong is reported in one <see cref="ConfigException"/>.</summary>
    public static IReadOnlyList<DatasetSpec> Resolve(IReadOnlyList<string> names, string datasetDir)
    {
        var problems = new List<string>();
        var specs = new List<DatasetSpec>();
        using var info = names.All(IsPath) ? null : ReadInfo(datasetDir, problems);
        foreach (var name in names)
        {
            if (info is not null && info.RootElement.TryGetProperty(name, out var entry))
            {
                if (FromEntry(name, entry, datasetDir, problems) is { } spec)
                {
                    specs.Add(spec);
                }
            }
            else if (IsPath(name))
            {
                Capture(() => specs.Add(FromPath(name, datasetDir)), problems);
            }
            else if (info is not null)
            {
                problems.Add($"data set '{name}' is neither an entry of {Path.Combine(datasetDir, InfoFile)} nor a path ending in .json, .jsonl or .parquet" +
                    Suggest(name, info.RootElement));
            }
        }

        return problems.Count == 0 ? specs : throw new ConfigException(problems);
    }

    private static bool IsPath(string name) =>
        name.EndsWith(".json", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) ||
        name.EndsWith(".parquet", StringComparison.OrdinalIgnoreCase) || name.Contains('/');

    private static void Capture(Action action, List<string> problems)
    {
        try
        {
            action();
        }
        catch (ConfigException e)
        {
            problems.AddRange(e.Problems);
        }
    }

    private static JsonDocument? ReadInfo(string datasetDir, List<string> problems)
    {
        var path = Path.Combine(datasetDir, InfoFile);
        try
        {
            return JsonFile.ReadObject(path, "set dataset_dir to its folder, or give data sets by path, for instance dataset: my.json");
        }
        catch (ConfigException e)
        {
            problems.AddRange(e.Problems);
            return null;
        }
    }

    private static string Suggest(string name, JsonElement info)
    {
        var known = info.EnumerateObject().Select(p => p.Name).ToArray();
        if (known.Length == 0)
        {
            return "; the file has no entries";
        }

        var near = known.Where(k => k.Contains(name, StringComparison.OrdinalIgnoreCase) || name.Contains(k, StringComparison.OrdinalIgnoreCase)).ToArray();
        return "; known: " + string.Join(", ", (near.Length > 0 ? near : known).Take(8));
    }

    private static DatasetSpec FromPath(string name, string datasetDir)
    {
        var path = Path.Exists(name) ? name : Path.Combine(datasetDir, name);
        if (!Path.Exists(path))
        {
            throw new ConfigException($"data set '{name}': neither {Path.GetFullPath(name)} nor {Path.GetFullPath(path)} exists");
        }

        var files = DatasetFiles.Find(name, path);
        return RowFormatGuess.Guess(name, files);
    }

    private static DatasetSpec? FromEntry(string name, JsonElement entry, string datasetDir, List<string> problems)
    {
        var before = problems.Count;
        void Refuse(string key, string why) => problems.Add($"data set '{name}': {key} {why}");

        if (entry.ValueKind != JsonValueKind.Object)
        {
            Refuse("its entry", "must be a JSON object");
            return null;
        }

        foreach (var key in (string[])["hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name"])
        {
            if (entry.TryGetProperty(key, out _))
            {
                Refuse(key, "is not supported (nothing is downloaded or executed): save the rows as json or jsonl and name them by file_name");
            }
        }

        if (entry.TryGetProperty("ranking", out var ranking) && ranking.ValueKind == JsonValueKind.True)
        {
            Refuse("ranking: true", "is preference data, which supervised fine-tuning cannot use");
        }

        if (entry.TryGetProperty("num_samples", out var sampled) && sampled.ValueKind != JsonValueKind.Null)
        {
            Refuse("num_samples", "(a random selection) is not supported: use max_samples, or a smaller file");
        }

        var format = RowFormat.Alpaca;
        switch (Text(entry, "formatting", name, problems) ?? "alpaca")
        {
            case "alpaca":
                break;
            case "sharegpt":
                format = RowFormat.ShareGpt;
                break;
            case "openai":
                format = RowFormat.OpenAi;
                break;
            case var other:
                Refuse("formatting", $"is '{other}'; it must be alpaca, sharegpt or openai");
                break;
        }

        var columns = Columns(name, entry, format, problems);
        var tags = Tags(name, entry, format, problems);
        IReadOnlyList<string> files = [];
        if (problems.Count == before)
        {
            var fileName = Text(entry, "file_name", name, problems);
            if (fileName is null)
            {
                Refuse("file_name", "is missing: it names a json or jsonl file, or a folder of them");
            }
            else if (UserPath.TryExpand(fileName, out var path) is { } why)
            {
                Refuse($"file_name '{fileName}'", $"is no path: {why}");
            }
            else
            {
                Capture(() => files = DatasetFiles.Find(name, Path.Combine(datasetDir, path)), problems);
            }
        }

        return problems.Count == before ? new DatasetSpec(name, files, format, columns, tags) : null;
    }

    private static DatasetColumns Columns(string name, JsonElement entry, RowFormat format, List<string> problems)
    {
        var messages = format == RowFormat.OpenAi ? "messages" : "conversations";
        if (!Section(entry, "columns", name, problems, out var section))
        {
            return format == RowFormat.Alpaca
                ? new DatasetColumns { Prompt = "instruction", Query = "input", Response = "output" }
                : new DatasetColumns { Messages = messages };
        }

        string? Column(string key) => Text(section, key, name, problems);
        foreach (var key in (string[])["chosen", "rejected", "kto_tag"])
        {
            if (Column(key) is not null)
            {
                problems.Add($"data set '{name}': columns.{key} is preference data, which supervised fine-tuning cannot use");
            }
        }

        // A column that the entry does not name is not read, as in LLaMA-Factory; only what no row can do without keeps its default.
        var alpaca = format == RowFormat.Alpaca;
        return new DatasetColumns
        {
            Prompt = alpaca ? Column("prompt") ?? "instruction" : null,
            Query = alpaca ? Column("query") : null,
            Response = alpaca ? Column("response") ?? "output" : null,
            History = alpaca ? Column("history") : null,
            Messages = alpaca ? null : Column("messages") ?? messages,
            System = Column("system"),
            Tools = Column("tools"),
            Images = Column("images"),
            Videos = Column("videos"),
            Audios = Column("audios"),
        };
    }

    private static DatasetTags Tags(string name, JsonElement entry, RowFormat format, List<string> problems)
    {
        var defaults = format == RowFormat.OpenAi ? DatasetTags.OpenAi : new DatasetTags();
        if (!Section(entry, "tags", name, problems, out var section))
        {
            return defaults;
        }

        string Tag(string key, string otherwise) => Text(section, key, name, problems) ?? otherwise;
        return new DatasetTags
        {
            Role = Tag("role_tag", defaults.Role),
            Content = Tag("content_tag", defaults.Content),
            User = Tag("user_tag", defaults.User),
            Assistant = Tag("assistant_tag", defaults.Assistant),
            Observation = Tag("observation_tag", defaults.Observation),
            Function = Tag("function_tag", defaults.Function),
            System = Tag("system_tag", defaults.System),
        };
    }

    private static bool Section(JsonElement entry, string key, string name, List<string> problems, out JsonElement section)
    {
        if (!entry.TryGetProperty(key, out section) || section.ValueKind == JsonValueKind.Null)
        {
            return false;
        }

        if (section.ValueKind != JsonValueKind.Object)
        {
            problems.Add($"data set '{name}': {key} must be a JSON object");
            return false;
        }

        return true;
    }

    private static string? Text(JsonElement parent, string key, string name, List<string> problems)
    {
        if (!parent.TryGetProperty(key, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.String)
        {
            return value.GetString();
        }

        problems.Add($"data set '{name}': {key} must be text");
        return null;
    }
}
