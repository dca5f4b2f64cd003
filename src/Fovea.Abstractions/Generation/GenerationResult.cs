namespace Fovea;

/// <summary>The tokens of one generation, and how long it took.</summary>
/// <param name="Ids">The new tokens. A stop token that ended the answer is the last of them; so are those that hold a stop string.</param>
/// <param name="Reason">Why it ended.</param>
/// <param name="PromptTokens">Length of the prompt.</param>
/// <param name="ReusedTokens">How many of these were still in the cache from an earlier call.</param>
/// <param name="PromptTime">Time to the first token.</param>
/// <param name="TokenTime">Time from the first token to the last.</param>
public sealed record GenerationResult(
    IReadOnlyList<int> Ids, StopReason Reason, int PromptTokens, int ReusedTokens, TimeSpan PromptTime, TimeSpan TokenTime)
{
    /// <summary>The log probability of each of <see cref="Ids"/>; empty unless <see cref="GenerationOptions.Logprobs"/> asked for it.</summary>
    public IReadOnlyList<TokenLogprob> Logprobs { get; init; } = [];

    /// <summary>New tokens per second, without the prompt; 0 when there was only one.</summary>
    public double TokensPerSecond => Ids.Count > 1 && TokenTime > TimeSpan.Zero ? (Ids.Count - 1) / TokenTime.TotalSeconds : 0;
}
