namespace Fovea.Generation;

/// <summary>What a generation gave, and how long it took.</summary>
/// <param name="Ids">The new tokens; the last one is the stop token when <paramref name="Reason"/> is <see cref="StopReason.Finished"/>.</param>
/// <param name="Reason">Why it ended.</param>
/// <param name="PromptTokens">Length of the prompt.</param>
/// <param name="ReusedTokens">How many of those an earlier call had left in the cache.</param>
/// <param name="PromptTime">Until the first token was known.</param>
/// <param name="TokenTime">From the first token to the last.</param>
internal sealed record GenerationResult(
    IReadOnlyList<int> Ids, StopReason Reason, int PromptTokens, int ReusedTokens, TimeSpan PromptTime, TimeSpan TokenTime)
{
    /// <summary>New tokens a second, without the prompt; 0 when there was only one.</summary>
    public double TokensPerSecond => Ids.Count > 1 && TokenTime > TimeSpan.Zero ? (Ids.Count - 1) / TokenTime.TotalSeconds : 0;
}
