using Fovea.Evaluation.Report;
using Fovea.Evaluation.Running;

namespace Fovea.Evaluation.Results;

/// <summary>Writes what is kept of an evaluation.</summary>
internal static class ResultFolder
{
    /// <summary>The report's name in the folder of a result.</summary>
    public const string Report = "report.html";

    /// <summary>Writes predictions in the benchmark's official form, the result as JSON and the report.</summary>
    /// <returns>Sentences about what was written.</returns>
    public static IReadOnlyList<string> Write(EvaluationRequest request, EvaluationResult result)
    {
        var said = new List<string>();
        if (request.Json is { } json)
        {
            ResultJson.Write(json, result);
            said.Add($"result as JSON: {json}");
        }

        if (request.Output is { } folder)
        {
            var form = request.Entry.Form;
            if (request.Predictions is null)
            {
                form.Write(Path.Combine(folder, form.FileName), result.Items, result.Answers);
            }

            ResultJson.Write(Path.Combine(folder, ResultJson.FileName), result);
            HtmlReport.Write(Path.Combine(folder, Report), result.ToReport());
            said.Add($"report: {Path.Combine(folder, Report)}");
        }

        return said;
    }
}
