namespace Fovea.Models.Configs;

/// <summary>What becomes of the rotary frequencies theta^(-2i/D); Transformers calls it <c>rope_type</c>.</summary>
internal enum RopeKind
{
    /// <summary>Nothing. Qwen2.5-VL's files call it <c>mrope</c>.</summary>
    Default,

    /// <summary>All are divided by one factor.</summary>
    Linear,

    /// <summary>YaRN (arXiv 2309.00071): slow ones are divided, fast ones are not.</summary>
    Yarn,

    /// <summary>LongRoPE (arXiv 2402.13753): each is divided by a factor of its own, another one in long sequences.</summary>
    LongRope,
}
