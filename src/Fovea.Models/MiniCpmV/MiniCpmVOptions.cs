using Fovea.Keys;

namespace Fovea.Models.MiniCpmV;

/// <summary>Configuration keys of MiniCPM-V alone.</summary>
internal sealed record MiniCpmVOptions : FamilyOptions
{
    /// <summary>MiniCPM-V: conversation format (<c>minicpm</c>, <c>llama3</c>, <c>qwen</c>); null is the model's own format.</summary>
    [Affects(Effect.Learning, As = "llm_type")] public string? LlmType { get; init; }

    /// <summary>MiniCPM-V: maximum number of slices per image; null is the value in the model's config.json.</summary>
    [Bounds(1, 64)]
    [Affects(Effect.Learning)] public int? MaxSliceNums { get; init; }

    /// <summary>MiniCPM-Llama3-V-2.5: whether its vision tower attends to the padding of an image's slices, as in the published code.</summary>
    [Affects(Effect.Learning)] public VisionMask VisionMask { get; init; } = VisionMask.Original;

    /// <summary>MiniCPM-V-4.5: prompts in its own format open a thought (the hub's <c>enable_thinking=True</c>); else the answer follows at once.</summary>
    [Affects(Effect.Output)] public bool ThinkFirst { get; init; }

    public override bool RefusedElsewhere => true;

    public override IEnumerable<string> Notices => LlmType == "llama"
        ? ["llm_type llama is read as the model's own way: in finetune.py the name falls into the tags of MiniCPM-V-2, which no Llama knows"]
        : [];
}
