using System.Text.Json;
using Fovea.Models.Saving;

namespace Fovea.Models.Peft;

/// <summary>
/// The model that an adapter was trained on, kept beside it in <c>fovea_base.json</c>: an adapter makes sense on the weights that it learnt over, and on
/// others of the same shapes it computes nonsense without an error. PEFT's own files are left as PEFT writes them.
/// </summary>
internal sealed record AdapterBase
{
    public const string FileName = "fovea_base.json";

    /// <summary>The name of the base's folder, for messages.</summary>
    public required string Name { get; init; }

    public required string Config { get; init; }

    public required string Shapes { get; init; }

    public required string Weights { get; init; }

    /// <summary>Adapters that were merged into the base before this one was trained, in order, by <see cref="IdentityOf"/>.</summary>
    public IReadOnlyList<string> Below { get; init => field = value ?? []; } = [];

    private static JsonSerializerOptions Json { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true, NewLine = "\n",
    };

    /// <summary>What a model folder with adapters merged into it is known by.</summary>
    public static AdapterBase Of(ModelSource model, IEnumerable<string> adapters)
    {
        var print = WeightPrint.OfModel(model);
        return new AdapterBase
        {
            Name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(model.Folder))),
            Config = print.Config,
            Shapes = print.Shapes,
            Weights = print.Weights,
            Below = [.. adapters.Select(IdentityOf)],
        };
    }

    /// <summary>What an adapter is known by, wherever it lies.</summary>
    public static string IdentityOf(string adapter) => WeightPrint.OfAdapter(adapter) is var print ? $"{print.Shapes}{print.Weights}" : string.Empty;

    /// <summary>What lies beside an adapter; null for adapters of other programs and of earlier versions.</summary>
    public static AdapterBase? Read(string adapter)
    {
        try
        {
            return JsonSerializer.Deserialize<AdapterBase>(File.ReadAllBytes(Path.Combine(adapter, FileName)), Json);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    public void Write(string adapter) =>
        AtomicFile.WriteText(Path.Combine(adapter, FileName), JsonSerializer.Serialize(this, Json) + "\n");

    /// <summary>Compares adapters with the model that they are to be put on, one on top of the other; nothing is loaded.</summary>
    /// <param name="found">
    /// The one that nobody named, as it lay in the run's folder: on another model it is refused. Those that were named are used all the same.
    /// </param>
    /// <param name="remedy">What to do about a refused one.</param>
    /// <returns>What the user is to know, in sentences.</returns>
    /// <exception cref="ConfigException">The found one was trained on another model, or one is in the model already.</exception>
    public static IReadOnlyList<string> Check(ModelSource source, IReadOnlyList<string> adapters, string? found, string remedy)
    {
        if (adapters.Count == 0)
        {
            return [];
        }

        var notices = new List<string>();
        var (folder, model) = (source.Folder, Of(source, []));
        var merged = ExportFolder.MergedInto(folder);
        for (var i = 0; i < adapters.Count; i++)
        {
            var adapter = adapters[i];
            var identity = IdentityOf(adapter);
            if (merged.Contains(identity))
            {
                throw new ConfigException($"{adapter} is merged into {folder} already ({ExportFolder.NoteName} says so) and would be applied twice: "
                    + "leave the adapter out, or give the model that it was trained on");
            }

            if (Read(adapter) is not { } trained)
            {
                notices.AddRange(Unknown(folder, adapter));
            }
            else if (trained.DifferenceFrom(model, folder) is { } difference)
            {
                var text = $"{adapter} was trained on {Called(trained, adapter)}{difference}";
                notices.Add(adapter == found
                    ? throw new ConfigException($"{text}; {remedy}")
                    : $"{text}; the adapter is used all the same, since it was named");
            }

            model = model with { Below = [.. model.Below, identity] };
        }

        return notices;
    }

    /// <summary>The folder of a hub's cache is called by a commit, which tells nobody anything; then the name in adapter_config.json does.</summary>
    private static string Called(AdapterBase trained, string adapter) =>
        trained.Name is { Length: 40 } && trained.Name.All(char.IsAsciiHexDigit) ? PeftConfig.Read(adapter).BaseModel ?? trained.Name : trained.Name;

    /// <summary>How a sentence goes on that says what the adapter was trained on; null where nothing differs.</summary>
    private string? DifferenceFrom(AdapterBase model, string folder) =>
        Shapes != model.Shapes ? $", and {folder} is another model: its weights have other names, shapes or types"
        : Weights != model.Weights
            ? $", and {folder} is another model: its weights are others of the same shapes (was it trained further, or an adapter merged into it?)"
        : Config != model.Config ? $", and {folder} is another model: its config.json differs in what it computes"
        : Below.SequenceEqual(model.Below) ? null
        : $" with {Count(Below)} below it, and is put on it here with "
            + (Below.Count == model.Below.Count ? "others, or in another order" : Count(model.Below))
            + " (adapter_name_or_path names them in the order in which they were trained)";

    private static string Count(IReadOnlyList<string> adapters) => adapters.Count switch
    {
        0 => "no other adapter",
        1 => "one other adapter",
        var count => $"{count} other adapters",
    };

    /// <summary>An adapter without our note names its base all the same; that is enough where it is the one at hand.</summary>
    private static IEnumerable<string> Unknown(string modelFolder, string adapter)
    {
        var named = PeftConfig.Read(adapter).BaseModel ?? string.Empty;
        var last = Path.GetFileName(Path.TrimEndingDirectorySeparator(named));
        if (last.Length == 0 || !Path.GetFullPath(modelFolder).Contains(last, StringComparison.OrdinalIgnoreCase))
        {
            yield return $"{adapter} names {(named.Length == 0 ? "no base" : $"the base {named}")}, and {modelFolder} is used: "
                + $"whether the adapter was trained on these weights is not known, since it has no {FileName}";
        }
    }
}
