namespace Fovea;

/// <summary>The tokens of one generation, and how long it took.</summary>
/// <param name="Ids">The new tokens; the last one is the stop token when <paramref name="Reason"/> is <see cref="StopReason.Finished"/>.</param>
/// <param name="Reason">Why it ended.</param>
/// <param name="PromptTokens">Length of the prompt.</param>
/// <param name="ReusedTokens">How many of these were still in the cache from an earlier call.</param>
/// <param name="PromptTime">Time to the first token.</param>
/// <param name="TokenTime">Time from the first token to the last.</param>
public sealed record GenerationResult(
    IReadOnlyList<int> Ids, StopReason Reason, int PromptTokens, int ReusedTokens, TimeSpan PromptTime, TimeSpan TokenTime)
{
    /// <summary>New tokens per second, without the prompt; 0 when there was only one.</summary>
    public double TokensPerSecond => Ids.Count > 1 && TokenTime > TimeSpan.Zero ? (Ids.Count - 1) / TokenTime.TotalSeconds : 0;
}
