namespace Fovea.Data.Templates;

/// <summary>The templates there are, by LLaMA-Factory's names.</summary>
public static class ChatTemplates
{
    /// <summary>Qwen2-VL and Qwen2.5-VL: ChatML with a default system prompt.</summary>
    public static ChatTemplate Qwen2Vl { get; } = new()
    {
        Name = "qwen2_vl",
        System = "<|im_start|>system\n{{content}}<|im_end|>\n",
        User = "<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n",
        Assistant = "{{content}}<|im_end|>\n",
        DefaultSystem = "You are a helpful assistant.",
        StopWords = ["<|im_end|>"],
        ImageToken = "<|image_pad|>",
        ImageOpen = "<|vision_start|>",
        ImageClose = "<|vision_end|>",
    };

    public static IReadOnlyList<ChatTemplate> All { get; } = [Qwen2Vl];

    /// <summary>The template of that name; an unknown one is a <see cref="ConfigException"/> that lists those there are.</summary>
    public static ChatTemplate Get(string name) => All.FirstOrDefault(t => t.Name == name)
        ?? throw new ConfigException($"template: '{name}' is not known; it must be one of {string.Join(", ", All.Select(t => t.Name))}");
}
