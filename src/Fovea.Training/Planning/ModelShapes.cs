using System.Globalization;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Training.Planning;

/// <summary>The model that a configuration trains, as shapes without values: from the folder's config.json alone.</summary>
internal sealed class ModelShapes : IDisposable
{
    private readonly DropoutStream? dropout;

    private ModelShapes(VisionLanguageModel model, ModelFamily family, DType? stored, DropoutStream? dropout)
    {
        this.dropout = dropout;
        Model = model;
        Stored = stored;
        VisionLearns = TrainableRule.ReachesVision(model.Ledger.Trainable.Select(p => p.Name), family.PartOf);
    }

    public VisionLanguageModel Model { get; }

    /// <summary>The element type of the checkpoint by its config.json; null where it says none.</summary>
    public DType? Stored { get; }

    public bool VisionLearns { get; }

    /// <param name="source">The configuration's model folder.</param>
    /// <exception cref="ConfigException">The model has no such modules.</exception>
    public static ModelShapes Load(TrainConfig config, ModelSource source)
    {
        FourBitChecks.Check(config, source);
        var family = source.Family;
        var lora = config.Tuning.FinetuningType == FinetuningType.Lora;
        var model = source.Build(new MetaSource(), new ModelOptions
        {
            Compute = config.Model.Compute,
            Master = config.Model.PureBf16 ? DType.BF16 : DType.F32,
            Device = Device.Meta,
            Trainable = TrainableRule.From(config.Tuning, source),
            FourBit = source.Quantization?.Options ?? config.Model.FourBit,
            Rounds = source.FourBitNames() is { } stored ? stored.Contains : null,
            Family = config.Family.Of(family),
        });
        var dropout = lora && config.Tuning.LoraDropout > 0 ? new DropoutStream(config.Tuning.LoraDropout, (ulong)config.Run.Seed) : null;
        try
        {
            if (lora)
            {
                ModelSetup.AttachAdapter(config, model, family, resumeFrom: null, dropout);
            }

            return new ModelShapes(model, family, StoredIn(source.Config), dropout);
        }
        catch
        {
            dropout?.Dispose();
            model.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Model.Dispose();
        dropout?.Dispose();
    }

    private static DType? StoredIn(ConfigReader config)
    {
        var text = config.Section("text_config");
        var name = new[] { config.Text("torch_dtype"), config.Text("dtype"), text?.Text("torch_dtype"), text?.Text("dtype") }
            .FirstOrDefault(n => !string.IsNullOrEmpty(n));
        return name?.ToLower(CultureInfo.InvariantCulture) switch
        {
            "float32" => DType.F32,
            "bfloat16" => DType.BF16,
            "float16" => DType.F16,
            _ => null,
        };
    }
}
