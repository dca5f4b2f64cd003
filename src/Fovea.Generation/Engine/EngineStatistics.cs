using Fovea.Generation.Sampling;

namespace Fovea.Generation.Engine;

/// <summary>What an engine did so far.</summary>
internal sealed class EngineStatistics
{
    /// <summary>Passes through the decoder.</summary>
    public long Passes { get; set; }

    /// <summary>Passes through the vision side.</summary>
    public long VisionPasses { get; set; }

    /// <summary>Tokens that went through the decoder, of prompts and of answers.</summary>
    public long Tokens { get; set; }

    /// <summary>Tokens of prompts that were found in the cache.</summary>
    public long ReusedTokens { get; set; }

    /// <summary>Tokens that were chosen.</summary>
    public long NewTokens { get; set; }

    /// <summary>Greedy choices on a device that rounding may have decided (<see cref="DeviceSampler.NearTie"/>); on the CPU none can be.</summary>
    public long NearTies { get; set; }
}
