namespace Fovea.Models.MiniCpmV;

/// <summary>How conversations are written and labelled: the official trainer's <c>llm_type</c>.</summary>
internal enum MiniCpmVDialogue
{
    /// <summary>MiniCPM-V-2: tags before each message.</summary>
    MiniCpm,

    /// <summary>Llama3-V-2.5.</summary>
    Llama3,

    /// <summary>ChatML: V-2.6, o-2.6, V-4 and, with thoughts, V-4.5.</summary>
    Qwen,
}
