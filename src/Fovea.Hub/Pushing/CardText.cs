using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Fovea.Hub.Pushing;

/// <summary>The model card of a result: what hubs read at its head, and what people read below.</summary>
internal sealed record CardText
{
    private const string Own = "Trained with Fovea";

    /// <summary>Shown as the title.</summary>
    public required string Title { get; init; }

    /// <summary>The base model's name on a hub; a folder has no place in a card.</summary>
    public string? BaseModel { get; init; }

    /// <summary>Whether it is an adapter of the base.</summary>
    public bool IsAdapter { get; init; }

    /// <summary>Names of datasets on a hub.</summary>
    public IReadOnlyList<string> Datasets { get; init; } = [];

    /// <summary>Sentences about the training.</summary>
    public IReadOnlyList<string> Trained { get; init; } = [];

    /// <summary>Measured values by their names.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>What the files of a folder say.</summary>
    public static CardText Of(string folder, string title)
    {
        var adapter = Read(Path.Combine(folder, "adapter_config.json"));
        var named = adapter is { } config && config.TryGetProperty("base_model_name_or_path", out var name) ? name.GetString() : null;
        var results = Read(Path.Combine(folder, "all_results.json"));
        var metrics = results is { ValueKind: JsonValueKind.Object } all
            ? all.EnumerateObject().Where(entry => entry.Value.ValueKind == JsonValueKind.Number && IsMetric(entry.Name))
                .ToDictionary(entry => entry.Name, entry => entry.Value.GetDouble())
            : [];
        var trained = adapter is { } lora && lora.TryGetProperty("r", out var rank) && lora.TryGetProperty("lora_alpha", out var alpha)
            ? new[] { $"LoRA of rank {rank}, alpha {alpha}." }
            : [];
        return new CardText
        {
            Title = title,
            BaseModel = named is not null && RepoName.TryParse(named) is { Owner: not null } repo && !Path.Exists(named) ? repo.Id : null,
            IsAdapter = adapter is not null,
            Trained = trained,
            Metrics = metrics,
        };
    }

    /// <summary>Whether a folder's card may be replaced: there is none, or it is the short one that training wrote.</summary>
    public static bool MayReplace(string folder) =>
        Path.Combine(folder, "README.md") is var card && (!File.Exists(card) || TextFile.Read(card).Contains(Own, StringComparison.Ordinal));

    public override string ToString()
    {
        var text = new StringBuilder("---\n");
        void List(string key, IEnumerable<string> values)
        {
            if (values.Any())
            {
                text.Append(CultureInfo.InvariantCulture, $"{key}:\n").AppendJoin(string.Empty, values.Select(value => $"- {PythonJson.Line(value)}\n"));
            }
        }

        if (BaseModel is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $"base_model: {PythonJson.Line(BaseModel)}\n");
        }

        text.Append(CultureInfo.InvariantCulture, $"library_name: {(IsAdapter ? "peft" : "transformers")}\npipeline_tag: image-text-to-text\n");
        List("datasets", Datasets);
        List("tags", IsAdapter ? ["fovea", "lora", "vision-language"] : ["fovea", "vision-language"]);
        text.Append(CultureInfo.InvariantCulture, $"---\n\n# {Title}\n\n");
        var what = IsAdapter ? "A LoRA adapter" : "A vision-language model";
        text.Append(BaseModel is null ? $"{what}. " : $"{what} {(IsAdapter ? "for" : "fine-tuned from")} [{BaseModel}](https://huggingface.co/{BaseModel}). ")
            .Append(Own).Append(".\n");
        if (Trained.Count > 0)
        {
            text.Append("\n## Training\n\n").AppendJoin(string.Empty, Trained.Select(line => $"- {line}\n"));
        }

        if (Metrics.Count > 0)
        {
            text.Append("\n## Results\n\n| metric | value |\n|---|---|\n").AppendJoin(
                string.Empty, Metrics.Select(metric => string.Create(CultureInfo.InvariantCulture, $"| {metric.Key} | {metric.Value:0.####} |\n")));
        }

        return text.ToString();
    }

    private static bool IsMetric(string name) => name is "train_loss" || (name.StartsWith("eval_", StringComparison.Ordinal)
        || name.StartsWith("predict_", StringComparison.Ordinal)) && !name.EndsWith("_runtime", StringComparison.Ordinal)
        && !name.EndsWith("_per_second", StringComparison.Ordinal) && !name.EndsWith("samples", StringComparison.Ordinal);

    private static JsonElement? Read(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        using var json = JsonFile.ReadObject(path);
        return json.RootElement.Clone();
    }
}
