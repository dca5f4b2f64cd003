using Fovea.Data.Packing;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Training.Features;

namespace Fovea.Training.Session;

/// <summary>How a session trains a model that is at hand.</summary>
internal sealed record SessionOptions
{
    /// <summary>Whether gradients reach the vision side.</summary>
    public bool VisionLearns { get; init; }

    /// <summary>L2 norm to which the gradients are clipped; 0 is never.</summary>
    public double MaxGradNorm { get; init; } = 1;

    /// <summary>Keeps features of a frozen vision side; null computes them each time. It stays the caller's.</summary>
    public VisionFeatureCache? Cache { get; init; }

    /// <summary>The stream behind dropout of adapters; null without it. It stays the caller's.</summary>
    public DropoutStream? Dropout { get; init; }

    /// <summary>Noise on the embeddings of tokens; null without it.</summary>
    public EmbeddingNoise? Noise { get; init; }

    /// <summary>Decides what blocks keep, before each micro-batch that trains; null leaves that as it is.</summary>
    public Action<PackedBatch>? Plan { get; init; }
}
