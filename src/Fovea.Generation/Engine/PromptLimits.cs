using Fovea.Models;

namespace Fovea.Generation.Engine;

/// <summary>What a model takes at most.</summary>
internal static class PromptLimits
{
    /// <exception cref="ConfigException">It is empty, or with one new token longer than the model's longest sequence.</exception>
    public static void Check(Prompt prompt, VisionLanguageModel model)
    {
        if (prompt.Ids.Length == 0)
        {
            throw new ConfigException("the prompt is empty");
        }

        if (prompt.Ids.Length >= model.MaxTokens)
        {
            var images = prompt.Images.Sum(i => i.Tokens);
            throw new ConfigException($"the prompt has {prompt.Ids.Length} tokens{(images == 0 ? "" : $", {images} of them for images")}; "
                + $"with at least one new token the model takes {model.MaxTokens} (max_position_embeddings). "
                + "Ask for less text, fewer or smaller images (image_max_pixels), or begin a new conversation.");
        }
    }
}
