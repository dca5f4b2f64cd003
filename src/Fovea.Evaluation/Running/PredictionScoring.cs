using Fovea.Evaluation.Report;
using Fovea.Evaluation.Results;

namespace Fovea.Evaluation.Running;

/// <summary>Scores answers that were made elsewhere; no model is loaded.</summary>
internal static class PredictionScoring
{
    /// <exception cref="ConfigException">A file cannot be read, or its answers do not fit the benchmark's items.</exception>
    public static EvaluationResult Run(EvaluationRequest request)
    {
        var questions = QuestionSet.Read(request);
        var (path, form) = (request.Predictions!, request.Entry.Form);
        var (items, answers) = form.Match(questions.Items, path, request.AllowMissing);
        var missing = questions.Items.Count - items.Count;
        IReadOnlyList<string> notes = missing == 0 ? questions.Notes
            : [.. questions.Notes, $"{missing} of {questions.Items.Count} items have no answer and are left out: not comparable with published numbers."];
        return new EvaluationResult(request.Entry.Benchmark, items, answers)
        {
            Facts = [new ReportFact("Predictions", path), .. EvaluationFacts.Files(request.Input)],
            Notes = notes,
            Answerer = Path.GetFileName(path),
        };
    }
}
