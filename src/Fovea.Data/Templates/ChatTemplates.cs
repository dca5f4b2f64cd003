namespace Fovea.Data.Templates;

/// <summary>The templates there are, by LLaMA-Factory's names.</summary>
internal static class ChatTemplates
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

    /// <summary>Qwen3-VL that answers at once: ChatML without a default system prompt.</summary>
    public static ChatTemplate Qwen3VlNothink { get; } = Qwen2Vl with { Name = "qwen3_vl_nothink", DefaultSystem = string.Empty };

    /// <summary>Qwen3-VL that thinks first.</summary>
    public static ChatTemplate Qwen3Vl { get; } = Qwen3VlNothink with { Name = "qwen3_vl", Thought = new ThoughtMarks("<think>\n", "\n</think>\n\n") };

    /// <summary>Qwen3.5 that answers at once.</summary>
    public static ChatTemplate Qwen35Nothink { get; } = Qwen3VlNothink with { Name = "qwen3_5_nothink" };

    /// <summary>Qwen3.5 that thinks first.</summary>
    public static ChatTemplate Qwen35 { get; } = Qwen3Vl with { Name = "qwen3_5" };

    /// <summary>Qwen3.6 writes as Qwen3.5.</summary>
    public static ChatTemplate Qwen36 { get; } = Qwen35 with { Name = "qwen3_6" };

    /// <summary>MiniMind-V of April 2025.</summary>
    public static ChatTemplate MiniMind { get; } = new()
    {
        Name = "minimind",
        System = "<s>system\n{{content}}</s>\n",
        User = "<s>user\n{{content}}</s>\n<s>assistant\n",
        Assistant = "{{content}}</s>\n",
        DefaultSystem = "你是 MiniMind，是一个有用的人工智能助手。",
        StopWords = ["</s>"],
        ImageToken = "@",
    };

    /// <summary>MiniMind-3V: ChatML without a default system prompt.</summary>
    public static ChatTemplate MiniMind3 { get; } = new()
    {
        Name = "minimind3",
        System = "<|im_start|>system\n{{content}}<|im_end|>\n",
        User = "<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n",
        Assistant = "{{content}}<|im_end|>\n",
        StopWords = ["<|im_end|>"],
        ImageToken = "<|image_pad|>",
    };

    /// <summary>MiniCPM-V from V-2.6 on; also the official trainer's <c>qwen</c>.</summary>
    public static ChatTemplate MiniCpmV { get; } = Qwen2Vl with
    {
        Name = "minicpm_v",
        ImageToken = "<unk>",
        ImageOpen = "<image>",
        ImageClose = "</image>",
        ImageEnd = "\n",
    };

    /// <summary>MiniCPM-V-4.6: the same with another token for images.</summary>
    public static ChatTemplate MiniCpmV46 { get; } = MiniCpmV with { Name = "minicpm_v_4_6", ImageToken = "<|image_pad|>" };

    /// <summary>Llama3-V-2.5: the official trainer's <c>llama3</c>.</summary>
    public static ChatTemplate MiniCpmLlama3V { get; } = new()
    {
        Name = "minicpm_llama3_v",
        Prefix = "<|begin_of_text|>",
        System = "<|start_header_id|>system<|end_header_id|>\n\n{{content}}<|eot_id|>",
        User = "<|start_header_id|>user<|end_header_id|>\n\n{{content}}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        Assistant = "{{content}}<|eot_id|>",
        StopWords = ["<|eot_id|>"],
        ImageToken = "<unk>",
        ImageOpen = "<image>",
        ImageClose = "</image>",
        ImageEnd = "\n",
    };

    /// <summary>MiniCPM-V-2: the official trainer's <c>minicpm</c>.</summary>
    public static ChatTemplate MiniCpmV2 { get; } = new()
    {
        Name = "minicpm_v2",
        Prefix = "<s>",
        System = "{{content}}\n",
        User = "<用户>{{content}}<AI>",
        Assistant = "{{content}}",
        StopWords = ["</s>"],
        ImageToken = "<unk>",
        ImageOpen = "<image>",
        ImageClose = "</image>",
        ImageEnd = "\n",
    };

    public static IReadOnlyList<ChatTemplate> All { get; } =
        [Qwen2Vl, MiniMind, MiniMind3, MiniCpmV, MiniCpmLlama3V, MiniCpmV2, Qwen3Vl, Qwen3VlNothink, Qwen35, Qwen35Nothink, Qwen36, MiniCpmV46];

    /// <summary>The name that stands for the model's own template.</summary>
    public const string OfModel = "chat_template";

    /// <summary>The template that lies in a model's folder.</summary>
    /// <param name="family">The family's template, whose tokens for images and ends of answers are kept. Its slots write no conversation.</param>
    /// <exception cref="ConfigException">There is none, or it has what is not supported.</exception>
    public static ChatTemplate Load(string folder, ChatTemplate family)
    {
        var model = ModelTemplate.Load(folder);

        // A run is resumed, and answers are kept, with this very template alone.
        return family with { Name = $"{OfModel} {model.Digest}", Thought = null, Model = model };
    }

    /// <summary>The template of that name; an unknown one is a <see cref="ConfigException"/> that lists those there are.</summary>
    public static ChatTemplate Get(string name) => All.FirstOrDefault(t => t.Name == name)
        ?? throw new ConfigException($"template: '{name}' is not known; it must be "
            + $"one of {string.Join(", ", All.Select(t => t.Name))}, or {OfModel} for the model's own");
}
