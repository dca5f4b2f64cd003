using Fovea.Models;
using Fovea.Models.Saving;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Running;

/// <summary>A merge of adapters into their base, which may also be a checkpoint whose weights lie in the ranks' parts of the optimizer.</summary>
internal sealed record Merge
{
    /// <summary>Folder of the base model, or a checkpoint of a full fine-tuning.</summary>
    public required string Model { get; init; }

    public required IReadOnlyList<string> Adapters { get; init; }

    public required string Target { get; init; }

    public required MergeOptions Options { get; init; }

    /// <summary>Finds what is named as on a hub.</summary>
    public HubNames Names { get; init; } = new(new HubSection());

    /// <param name="say">Receives one line a stage.</param>
    /// <returns>The names of the files written.</returns>
    public IReadOnlyList<string> Run(Action<string> say) => Export().Run(say);

    internal ModelExport Export()
    {
        if (Options.MaxShardBytes < 1)
        {
            throw new ConfigException($"MaxShardBytes is {Options.MaxShardBytes}, must be at least 1");
        }

        var (source, overlay) = Source();
        return new ModelExport
        {
            Model = source,
            Overlay = overlay,
            Adapters = [.. Adapters.Select(Names.Adapter)],
            Target = Target,
            MaxShardBytes = Options.MaxShardBytes,
            DType = Options.Precision switch
            {
                Precision.Fp32 => DType.F32,
                Precision.Bf16 => DType.BF16,
                Precision.Fp16 => DType.F16,
                null => null, // merging is no reason to lose digits: the base's own type
                _ => throw new ConfigException($"Precision.{Options.Precision} is no element type of a model: use Fp32, Bf16 or Fp16"),
            },
            FourBit = Options.FourBit is null ? null : FourBitSettings.Of(Options.FourBit),
            Force = Options.Overwrite,
        };
    }

    /// <summary>A checkpoint of several ranks may hold the model in the parts of their optimizers only.</summary>
    private (string Folder, Func<VisionLanguageModel, string>? Overlay) Source()
    {
        var model = Names.Model(Model);
        if (!File.Exists(Families.ConfigPath(model)) || ModelSaver.HasWeights(model) || !OptimizerFiles.AreIn(model))
        {
            return (model, null);
        }

        var begun = CheckpointStore.ReadProgress(model).BaseModel ?? throw new ConfigException($"{model} does not say which model its run began with");
        return (Names.Model(begun), whole =>
        {
            using var files = OptimizerFiles.Open(model);
            return $"{files.Overlay(whole.Ledger)} weights from the ranks' parts in {model}";
        });
    }
}
