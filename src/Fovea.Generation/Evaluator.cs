using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Models;

namespace Fovea.Generation;

/// <summary>Single questions to a model, for measuring what it has learnt.</summary>
internal static class Evaluator
{
    /// <summary>The model's greedy answer to one question; ends at a stop word of the template, the end token, or <paramref name="maxTokens"/>.</summary>
    /// <param name="prompt">The question; images without <c>&lt;image&gt;</c> in it come first.</param>
    /// <param name="images">Image files.</param>
    /// <param name="system">The system prompt; null is the template's.</param>
    public static string Answer(
        VisionLanguageModel model, Tokenizer tokenizer, ChatTemplate template, IMediaProcessor stage, string prompt, IReadOnlyList<string> images,
        int maxTokens = 64, string? system = null)
    {
        var stops = template.StopWords.Append(tokenizer.EosToken).Where(word => word is not null).Select(word => tokenizer.IdOf(word!)).OfType<int>();
        var options = new GenerationOptions { MaxNewTokens = maxTokens, StopIds = stops.ToHashSet() };
        var prompts = new PromptBuilder(tokenizer, template, stage, rows: new TokenRows(tokenizer, (int)model.Head.Shape[0]));
        using var session = new ChatSession(model, tokenizer, prompts) { System = system };
        return session.Ask(prompt, images, options).Text;
    }
}
