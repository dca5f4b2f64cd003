using Fovea.Evaluation.Objects;

namespace Fovea.Evaluation.Report;

/// <summary>A question of a row and its answer.</summary>
/// <param name="Question">May be empty, as for captions.</param>
/// <param name="Answer">Null where there is none; <see cref="ReportRow.Note"/> then says why.</param>
/// <param name="Expected">Null where the row as a whole says what was expected.</param>
internal sealed record ReportTurn(string Question, string? Answer, string? Expected = null)
{
    /// <summary>The pictures shown with this question, in order.</summary>
    public IReadOnlyList<MediaSource> Images { get; init; } = [];

    /// <summary>What is drawn on them; marks of other images have numbers that none of these has.</summary>
    public IReadOnlyList<ObjectMark> Marks { get; init; } = [];
}
