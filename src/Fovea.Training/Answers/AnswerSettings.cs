using Fovea.Training.Config;

namespace Fovea.Training.Answers;

/// <summary>A configuration's keys of generation as options.</summary>
internal static class AnswerSettings
{
    /// <param name="model">The model folder's own settings, whose stop tokens stay.</param>
    public static GenerationOptions Of(GenerationSection section, GenerationOptions model) => model with
    {
        MaxNewTokens = section.MaxNewTokens,
        DoSample = section.DoSample,
        Temperature = section.Temperature,
        TopK = section.TopK,
        TopP = section.TopP,
        RepetitionPenalty = section.RepetitionPenalty,
    };
}
