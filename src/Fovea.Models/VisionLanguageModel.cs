using Fovea.Data.Packing;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models;

/// <summary>What training, evaluation and generation need of a model family. All tensors it makes belong to the scope that is open.</summary>
public abstract class VisionLanguageModel(Ledger ledger) : IDisposable
{
    /// <summary>Every weight.</summary>
    public Ledger Ledger { get; } = ledger;

    /// <summary>The output head [V, E].</summary>
    public abstract Parameter Head { get; }

    public Device Device => Ledger.Options.Device;

    /// <summary>What today's Transformers calls a weight or layer of the ledger; PEFT adapters are saved under these names.</summary>
    public virtual string ModuleName(string name) => name;

    /// <summary>Puts a packed batch into tensors on the model's device.</summary>
    public abstract ModelInput Prepare(PackedBatch batch);

    /// <summary>Image features [M, E] in the order of the image slots; null without images.</summary>
    public abstract Tensor? VisionFeatures(ModelInput input);

    /// <summary>Final hidden states [T, E].</summary>
    public abstract Tensor Hidden(ModelInput input, Tensor? features);

    public void Dispose()
    {
        Ledger.Dispose();
        GC.SuppressFinalize(this);
    }
}
