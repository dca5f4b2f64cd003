using Fovea.Data.Datasets;

namespace Fovea.Data.Formats;

/// <summary>A row on its way to a conversation.</summary>
/// <param name="problems">Takes what is wrong with the row.</param>
/// <param name="takesTools">Whether the template writes tools, their calls and results.</param>
internal sealed class RowDraft(List<string> problems, bool takesTools)
{
    internal bool TakesTools => takesTools;

    /// <summary>The system prompt; null where the row brings none.</summary>
    internal string? System { get; set; }

    /// <summary>Questions and answers in turns.</summary>
    internal List<DraftMessage> Messages { get; } = [];

    internal List<string> Problems { get; } = problems;
}
