namespace Fovea.Training.Config;

/// <summary>What a run is for (<c>stage</c>).</summary>
internal enum TrainingStage
{
    /// <summary>Supervised fine-tuning on instructions.</summary>
    Sft,

    /// <summary>Teaching the projector what the vision tower sees, from pairs of image and caption.</summary>
    Pretrain,
}
