using Fovea.Files.Safetensors;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Models.Peft;

/// <summary>PEFT adapter folders: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c> (or <c>.bin</c>).</summary>
internal static class PeftAdapter
{
    public const string WeightsName = "adapter_model.safetensors";

    /// <summary>Whether a folder holds an adapter.</summary>
    public static bool IsAdapter(string folder) => File.Exists(Path.Combine(folder, PeftConfig.FileName));

    /// <summary>Looks whether an adapter's files are there and whole, without reading weights.</summary>
    /// <exception cref="FoveaException">One is missing or damaged.</exception>
    public static void CheckFiles(string folder)
    {
        PeftConfig.Read(folder);
        Checkpoint.OpenAdapter(folder).Dispose();
    }

    /// <summary>
    /// Gives the model the adapter of a folder. Both generations of names are read, also with the adapter's own name (<c>.default.</c>) in them.
    /// Weights of modules_to_save replace those of the base; <see cref="WholeWeights"/> lists them.
    /// </summary>
    /// <param name="trainable">
    /// Whether the adapter learns; the model must then have been built with its modules_to_save learning (<see cref="PeftConfig.SavesWhole"/>).
    /// </param>
    /// <param name="dropout">Drops the adapter's inputs while gradients are recorded; null for none.</param>
    /// <exception cref="CheckpointException">Something in the folder is missing, left over or of another shape; all of it at once.</exception>
    /// <exception cref="ConfigException">adapter_config.json is malformed or asks for what Fovea does not have.</exception>
    public static PeftConfig Attach(VisionLanguageModel model, ModelFamily family, string folder, bool trainable, DropoutStream? dropout = null)
    {
        var config = PeftConfig.Read(folder);
        using var checkpoint = Checkpoint.OpenAdapter(folder);
        var contents = AdapterContents.Read(model, family, config, checkpoint);
        if (trainable && contents.Whole.FirstOrDefault(parameter => !parameter.Trainable) is { } frozen)
        {
            throw new ConfigException($"{folder} holds {frozen.Name} trained in full (modules_to_save {string.Join(", ", config.ModulesToSave)}); "
                + "to go on with it, name the same modules in additional_target");
        }

        var source = new CheckpointSource(checkpoint, name => contents.Canonical(family, name));
        Adapters.Attach(model.Ledger, config.Lora, contents.Targets.Contains, source, trainable, dropout, model.Names.ToModule);
        foreach (var parameter in contents.Whole)
        {
            Load(model, parameter, source);
        }

        CheckRows(folder, [.. contents.Rows.Select(rows => rows.Table.Name).Where(name => model.Ledger[name].Trainable).Order(StringComparer.Ordinal)]);
        foreach (var (table, ids) in contents.Rows)
        {
            using var scope = TensorScope.Open("weight");
            var read = source.Read($"{table.Name[..^".weight".Length]}.{TrainedRows.Name}", [ids.Count, table.Shape[1]]);
            TrainedRows.Attach(model.Ledger, table, ids, read, trainable);
        }

        if (InitialAdapter.TakeOut(model, family, config, folder, contents) is { } notice)
        {
            model.Notices = [.. model.Notices, notice];
        }

        return config;
    }

    /// <summary>Reads an adapter that is to lie beside the model, for requests that name it; the caller's.</summary>
    /// <exception cref="CheckpointException">Something in the folder is missing, left over or of another shape; all of it at once.</exception>
    /// <exception cref="ConfigException">adapter_config.json is malformed or asks for what Fovea does not have, or it replaces weights.</exception>
    public static NamedAdapter Open(VisionLanguageModel model, ModelFamily family, string name, string folder)
    {
        var config = PeftConfig.Read(folder);
        if (config.Lora.Decomposed || model.Ledger.Adaptables.Any(adaptable => adaptable.Lora?.Magnitude is not null))
        {
            var which = config.Lora.Decomposed ? $"{folder} has" : "the model's own adapter has";
            throw new ConfigException($"{which} magnitudes (DoRA), so {folder} cannot serve beside others: "
                + "load an adapter with magnitudes alone, as the model's own, or merge it with 'fovea export'");
        }

        InitialAdapter.CheckBase(model, config, folder, _ => true);
        if (config.Lora.Start.ChangesBase)
        {
            throw new ConfigException($"{folder} was trained over what {config.Lora.Start.Name} left of the base, so it cannot serve beside others: "
                + "give the one that pissa_convert: true writes, load it as the model's own adapter, or merge it with 'fovea export'");
        }

        using var checkpoint = Checkpoint.OpenAdapter(folder);
        var contents = AdapterContents.Read(model, family, config, checkpoint);
        if (contents.Rows.Count > 0)
        {
            throw new ConfigException($"{folder} has rows of {contents.Rows[0].Table.Name} of its own (trainable_token_indices), so it cannot serve beside "
                + "others: load it as the model's own adapter, or merge it with 'fovea export'");
        }

        if (contents.Whole.Count > 0)
        {
            throw new ConfigException($"{folder} replaces {contents.Whole.Count} weights of the base ({contents.Whole[0].Name} first, modules_to_save "
                + $"{string.Join(", ", config.ModulesToSave)}), so it cannot serve beside others: load it as the model's own adapter");
        }

        var source = new CheckpointSource(checkpoint, tensor => contents.Canonical(family, tensor));
        return Adapters.Beside(model.Ledger, name, config.Lora, contents.Targets.Contains, source, model.Names.ToModule);
    }

    /// <summary>The weights of the base that are saved in full beside the adapter.</summary>
    public static IReadOnlyList<Parameter> WholeWeights(VisionLanguageModel model, PeftConfig config) =>
        [.. model.Ledger.Parameters.Where(p => config.SavesWhole(p.Name) || config.SavesWhole(model.Names.ToModule(p.Name)))];

    /// <summary>
    /// Writes every adapter of the model and the weights of modules_to_save under the names of today's Transformers, the configuration and a model card.
    /// Each file appears whole or not at all, the configuration last.
    /// </summary>
    public static void Save(VisionLanguageModel model, PeftConfig config, string folder)
    {
        var adapters = model.Ledger.AdapterParameters.ToList();
        if (adapters.Count == 0)
        {
            throw new InvalidOperationException("the model has no adapter to save");
        }

        var experts = new ExpertTargets(model, config.TargetParameters);
        var tensors = adapters.Concat(WholeWeights(model, config))
            .Select(p => TensorBytes.Source($"{AdapterContents.Prefix}{experts.ToFile(model, p.Name)}", p))
            .OrderBy(tensor => tensor.Name, StringComparer.Ordinal).ToList();
        Directory.CreateDirectory(folder);
        InitialAdapter.Write(model, config, folder);
        SafetensorsWriter.Write(Path.Combine(folder, WeightsName), tensors);
        AtomicFile.WriteText(
            Path.Combine(folder, "README.md"),
            ModelCard.For(config, model.Ledger.Adaptables.Count(adaptable => adaptable.Lora is not null), adapters.Sum(p => p.Count)));
        config.Write(folder);
    }

    /// <summary>
    /// The folder of the base model that an adapter names: as it stands, from the current directory, from the adapter's folder, or from a hub.
    /// </summary>
    /// <param name="hub">Gives the folder of a model that is named as on a hub, the name as it stands where it cannot be one.</param>
    /// <exception cref="ConfigException">None of these is a model folder.</exception>
    public static string ResolveBase(string folder, Func<string, string>? hub = null)
    {
        var written = PeftConfig.Read(folder).BaseModel;
        var file = Path.Combine(folder, PeftConfig.FileName);
        if (string.IsNullOrEmpty(written))
        {
            throw new ConfigException($"{file}: base_model_name_or_path is missing; set model_name_or_path to the base model's folder");
        }

        string[] candidates = Path.IsPathRooted(written)
            ? [written]
            : [Path.GetFullPath(written), Path.GetFullPath(Path.Combine(folder, written))];
        if (candidates.FirstOrDefault(candidate => File.Exists(Families.ConfigPath(candidate))) is { } found)
        {
            return found;
        }

        var why = string.Empty;
        try
        {
            if (hub?.Invoke(written) is { } fetched && fetched != written)
            {
                return fetched;
            }
        }
        catch (ConfigException e)
        {
            why = $"; as a name on a hub: {e.Message}";
        }

        throw new ConfigException($"{file}: base_model_name_or_path \"{written}\" is not a model folder here "
            + $"(looked at {string.Join(", ", candidates)}); set model_name_or_path to its folder, or to its name on a hub{why}");
    }

    /// <summary>Refuses an adapter of rows where their whole tables are trained.</summary>
    private static void CheckRows(string folder, string[] trained)
    {
        if (trained.Length > 0)
        {
            var modules = string.Join(" and ", trained.Select(name => name.Split('.')[^2]));
            throw new ConfigException($"{folder} has trained rows of {string.Join(" and ", trained)} (trainable_token_indices), and this run trains all of "
                + "that, by additional_target or because it adds tokens without trainable_token_indices: to train rows alone, give trainable_token_indices "
                + $"(new, or ids) and leave {modules} out of additional_target; to train all of it, merge the adapter with 'fovea export' and train "
                + "over the result");
        }
    }

    private static void Load(VisionLanguageModel model, Parameter parameter, CheckpointSource source)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("weight");
        var read = source.Read(parameter.Name, parameter.Shape);
        if (model.Ledger.Options.Deferred)
        {
            // Whoever places it takes it from here, digits and all.
            parameter.Replace(read.Clone().Keep());
        }
        else if (parameter.Trainable)
        {
            parameter.Value.Copy_(read);
        }
        else
        {
            // The old value may be mapped from the base's file, which must not be written.
            parameter.Replace(read.To(parameter.Value.DType).To(model.Device).Keep());
        }
    }
}
