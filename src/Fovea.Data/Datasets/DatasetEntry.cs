using System.Text.Json;
using Fovea.Data.Formats;
using Fovea.Data.Objects;

namespace Fovea.Data.Datasets;

/// <summary>One entry of <c>dataset_info.json</c>. Everything that is wrong with it goes into <c>problems</c>.</summary>
internal sealed class DatasetEntry(
    string name, JsonElement entry, string infoFile, List<string> problems, Func<HubDataset, HubRepository>? repositories = null)
{
    private readonly List<string> notices = [];

    /// <summary>The dataset of the entry, or null and at least one more problem.</summary>
    internal DatasetSpec? Read()
    {
        var before = problems.Count;
        if (entry.ValueKind != JsonValueKind.Object)
        {
            Refuse("its entry", $"must be a JSON object, not {RowFields.Kind(entry)}");
            return null;
        }

        CheckKeys(entry, string.Empty, DatasetEntryKeys.Entry);
        var format = Format();
        var columns = Columns(format);
        var tags = Tags(format);
        var unit = Unit();
        var hub = Hub();
        var fileName = Text(entry, "file_name", string.Empty);
        if (problems.Count == before && string.IsNullOrEmpty(fileName) && hub is null)
        {
            Refuse(
                "file_name", "is missing: it names a json, jsonl, csv, parquet, arrow or tar file, or a folder of them; hf_hub_url names a dataset of the hub");
        }

        if (UserPath.TryExpand(fileName ?? string.Empty, out var path) is { } why)
        {
            Refuse($"file_name '{Brief.Of(fileName!)}'", $"is no path: {why}");
        }

        if (problems.Count > before)
        {
            return null;
        }

        try
        {
            var files = hub?.Files(repositories) ?? DatasetFiles.Find(name, Path.Combine(Path.GetDirectoryName(infoFile)!, path));
            return new DatasetSpec(name, files, new RowShape(format, columns, tags) { Unit = unit }) { Notices = notices };
        }
        catch (ConfigException e)
        {
            problems.AddRange(hub is null ? e.Problems : e.Problems.Select(problem => $"{infoFile}: dataset '{name}': {problem}"));
            return null;
        }
    }

    /// <summary>The dataset of a hub that the entry names, which goes before a file as in LLaMA-Factory; null where it names none.</summary>
    private HubDataset? Hub()
    {
        string? Word(string key) => Text(entry, key, string.Empty) is { Length: > 0 } word ? word : null;
        var hub = new HubDataset(Word("hf_hub_url"), Word("ms_hub_url")) { Subset = Word("subset"), Folder = Word("folder"), Split = Word("split") };
        if (hub.HuggingFace is not null || hub.ModelScope is not null)
        {
            return hub;
        }

        foreach (var (key, given, reason) in ((string, string?, string)[])[
            ("subset", hub.Subset, "only datasets of a hub have subsets"),
            ("folder", hub.Folder, "only datasets of a hub have folders; file_name may name a folder"),
            ("split", hub.Split == "train" ? hub.Split : null, "a file is read whole")])
        {
            if (given is not null)
            {
                notices.Add($"{infoFile}: dataset '{name}': {key} is ignored: {reason}");
            }
        }

        if (hub.Split is not (null or "train"))
        {
            Refuse("split", $"'{Brief.Of(hub.Split)}' is not supported: a file is read whole; use max_samples, or a smaller file");
        }

        return null;
    }

    private static bool IsOff(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.False => true,
        JsonValueKind.Number => value.TryGetDouble(out var number) && number == 0,
        _ => RowFields.IsEmpty(value),
    };

    private void Refuse(string key, string why) => problems.Add($"{infoFile}: dataset '{name}': {key} {why}");

    /// <summary>Honoured, refused, without effect, or unknown and then perhaps a misspelt one.</summary>
    private void CheckKeys(JsonElement section, string prefix, IReadOnlyList<string> honoured)
    {
        foreach (var property in section.EnumerateObject().Where(property => !honoured.Contains(property.Name)))
        {
            var key = prefix + property.Name;
            if (DatasetEntryKeys.Refused.TryGetValue(key, out var reason))
            {
                if (!IsOff(property.Value))
                {
                    Refuse(property.Value.ValueKind == JsonValueKind.True ? $"{key}: true" : key, reason);
                }
            }
            else if (DatasetEntryKeys.Ignored.TryGetValue(key, out var why))
            {
                if (!IsOff(property.Value))
                {
                    notices.Add($"{infoFile}: dataset '{name}': {key} is ignored: {why}");
                }
            }
            else
            {
                var others = DatasetEntryKeys.Refused.Keys.Concat(DatasetEntryKeys.Ignored.Keys).Where(k => prefix.Length == 0 && !k.Contains('.'));
                var near = NearestKey.To(Brief.Of(property.Name), honoured.Concat(others));
                var hint = near is null ? $"known: {string.Join(", ", honoured)}" : $"did you mean {prefix}{near}?";
                Refuse(Brief.Of(key), $"is not a key that Fovea knows; {hint}");
            }
        }
    }

    private IRowFormat Format()
    {
        var given = Text(entry, "formatting", string.Empty) ?? "alpaca";
        if (RowFormats.Named(given) is { } format)
        {
            return format;
        }

        var names = RowFormats.All.Select(known => known.Name).OfType<string>().Reverse().ToList();
        Refuse("formatting", $"is '{Brief.Of(given)}'; it must be {string.Join(", ", names[..^1])} or {names[^1]}");
        return RowFormats.Named("alpaca")!;
    }

    /// <summary>What the coordinates of its objects count where a row does not say it.</summary>
    private CoordinateUnit Unit()
    {
        if (Text(entry, "bbox_type", string.Empty) is not { } given)
        {
            return CoordinateUnit.Pixels;
        }

        if (!RowObjects.Units.TryGetValue(given, out var unit))
        {
            Refuse("bbox_type", $"is '{Brief.Of(given)}'; it must be {string.Join(", ", RowObjects.Units.Keys)}");
        }

        return unit;
    }

    private DatasetColumns Columns(IRowFormat format)
    {
        if (!Section("columns", DatasetEntryKeys.Columns, out var section))
        {
            return format.Columns;
        }

        string? Column(string key) => Text(section, key, "columns.");
        var formatting = format.Tags is null ? "alpaca" : "not alpaca";
        foreach (var key in format.WithoutEffect.Where(key => Column(key) is not null))
        {
            notices.Add($"{infoFile}: dataset '{name}': columns.{key} is without effect: its formatting is {formatting}");
        }

        // A column that the entry does not name is not read, as in LLaMA-Factory; only what no row can do without keeps its default.
        var common = new DatasetColumns
        {
            System = Column("system"),
            Tools = Column("tools"),
            Images = Column("images"),
            Videos = Column("videos"),
            Audios = Column("audios"),
            Objects = Column("objects"),
            Weight = Column("weight"),
        };
        return format.Describe(common, Column);
    }

    private DatasetTags Tags(IRowFormat format)
    {
        var defaults = format.Tags ?? new DatasetTags();
        if (!Section("tags", DatasetEntryKeys.Tags, out var section))
        {
            return defaults;
        }

        if (format.Tags is null)
        {
            notices.Add($"{infoFile}: dataset '{name}': tags is without effect: its formatting is {format.Name}");
        }

        string Tag(string key, string otherwise) => Text(section, key, "tags.") ?? otherwise;
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

    private bool Section(string key, IReadOnlyList<string> honoured, out JsonElement section)
    {
        if (!entry.TryGetProperty(key, out section) || section.ValueKind == JsonValueKind.Null)
        {
            return false;
        }

        if (section.ValueKind != JsonValueKind.Object)
        {
            Refuse(key, $"must be a JSON object, not {RowFields.Kind(section)}");
            return false;
        }

        CheckKeys(section, $"{key}.", honoured);
        return true;
    }

    private string? Text(JsonElement parent, string key, string prefix)
    {
        var found = new List<string>();
        var text = RowFields.Text(parent, key, found);
        found.ForEach(problem => problems.Add($"{infoFile}: dataset '{name}': {prefix}{problem}"));
        return text;
    }
}
