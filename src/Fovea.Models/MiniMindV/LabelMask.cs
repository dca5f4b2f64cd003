namespace Fovea.Models.MiniMindV;

/// <summary>Which tokens of an answer are trained (<c>label_mask</c>).</summary>
internal enum LabelMask
{
    /// <summary>The answer and what ends it.</summary>
    Fixed,

    /// <summary>What the model's own code trains: for MiniMind-V of April 2025 not the first token, but one past the end.</summary>
    Original,
}
