namespace Fovea.Models.MiniMindV;

/// <summary>The system messages that training draws from: those of the published data code, which its models have seen, or a file of one's own.</summary>
internal static class SystemPrompts
{
    // jingyaogong/minimind-v, dataset/lm_dataset.py.
    private static readonly string[] Published =
    [
        "你是一个知识丰富的AI，尽力为用户提供准确的信息。",
        "你是minimind，一个小巧但有用的语言模型。",
        "你是一个专业的AI助手，请提供有价值的回答。",
        "你是minimind，请尽力帮助用户解决问题。",
        "你是一个可靠的AI，请给出准确的回答。",
        "You are a helpful AI assistant.",
        "You are minimind, a lightweight intelligent assistant.",
        "You are a friendly chatbot. Please answer the user's questions carefully.",
        "You are a knowledgeable AI. Try your best to provide accurate information.",
        "You are minimind, a small but useful language model.",
    ];

    /// <param name="file">Null is the published ones.</param>
    /// <exception cref="ConfigException">The file cannot be read or holds none.</exception>
    public static IReadOnlyList<string> Read(string? file)
    {
        if (file is null)
        {
            return Published;
        }

        var text = TextFile.Lines(file, "system_prompts is a text with one system message a line");
        string[] lines = [.. text.Select(line => line.Trim()).Where(line => line.Length > 0)];
        return lines.Length > 0 ? lines : throw new ConfigException($"system_prompts: {file} holds no line of text; give one system message a line");
    }
}
