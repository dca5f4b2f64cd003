namespace Fovea;

/// <summary>How many tokens an answer took.</summary>
/// <param name="PromptTokens">Tokens of the prompt, those of images included.</param>
/// <param name="CompletionTokens">Tokens that were generated; one that ended the answer counts.</param>
/// <param name="CachedTokens">Tokens of the prompt that were in the cache and not computed again.</param>
public sealed record ServedUsage(int PromptTokens, int CompletionTokens, int CachedTokens);
