namespace Fovea.Data.Datasets;

/// <summary>Field names and role names inside a list of messages. The defaults are ShareGPT's.</summary>
internal sealed record DatasetTags
{
    public static DatasetTags OpenAi { get; } = new()
    {
        Role = "role",
        Content = "content",
        User = "user",
        Assistant = "assistant",
        Observation = "tool",
        Function = "function",
    };

    public string Role { get; init; } = "from";

    public string Content { get; init; } = "value";

    public string User { get; init; } = "human";

    public string Assistant { get; init; } = "gpt";

    public string Observation { get; init; } = "observation";

    public string Function { get; init; } = "function_call";

    public string System { get; init; } = "system";
}
