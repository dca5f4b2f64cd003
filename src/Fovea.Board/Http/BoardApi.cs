using Fovea.Board.Runs;
using Fovea.Board.Work;
using Fovea.Runs.Files;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Fovea.Board.Http;

/// <summary>What the pages ask for. A run is named by its folder as the list gives it; no path is made of anything else that comes in.</summary>
/// <param name="jobs">What is known of runs that a board has started; null for a board that only shows.</param>
internal sealed class BoardApi(RootedFolder files, RunList runs, JobList? jobs)
{
    private const int LogBytes = 64 << 10;
    private const int MostReportBytes = 128 << 20;

    // The report has a script and pictures of its own. Without an origin it gets at nothing else here, whoever wrote it.
    private const string ReportPolicy =
        "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'self'";

    private readonly RunSeries series = new(files);
    private readonly RunAnswers answers = new(files);

    public void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/api/runs", context => Replies.Json(context, new
        {
            root = files.Path, runs = jobs?.Over(runs.All()) ?? runs.All(), cut = runs.IsCut, works = jobs is not null,
        }));
        app.MapGet("/api/run", context => With(context, run => Replies.Json(context, new
        {
            root = files.Path,
            run,
            works = jobs is not null,
            job = jobs?.Find(run.Id),
            resumes = RunSettings.Checkpoints(run).Any(),
            series = series.Of(run),
            results = RunSettings.Results(files, run),
            report = files.Exists(run.File(PredictionFiles.Report)),
            answers = files.Exists(run.File(PredictionFiles.Answers)),
        })));
        app.MapGet("/api/settings", context => With(context, run => Replies.Json(context, RunSettings.Of(files, run))));
        app.MapGet("/api/log", context => With(context, run => Replies.Json(context, files.Tail(run.File(RunningLogSink.FileName), LogBytes))));
        app.MapGet("/api/output", context => With(context, run => Replies.Json(context, jobs?.OutputOf(run.Id) ?? string.Empty)));
        app.MapGet("/api/answers", context => With(context, run => Replies.Json(context, answers.Of(run))));
        app.MapGet("/report", context => With(context, async run =>
        {
            if (files.Read(run.File(PredictionFiles.Report), MostReportBytes) is not { } page)
            {
                await Replies.Problem(context, StatusCodes.Status404NotFound, $"{run.Id} has no {PredictionFiles.Report} that can be shown");
                return;
            }

            context.Response.Headers.ContentSecurityPolicy = ReportPolicy;
            await Replies.Send(context, "text/html; charset=utf-8", page);
        }));
    }

    private RunSummary? Find(string id) => jobs is null ? runs.Find(id) : jobs.Over(id, runs.Find(id));

    private async Task With(HttpContext context, Func<RunSummary, Task> answer)
    {
        if (context.Request.Query["run"] is [{ } id] && Find(id) is { } run)
        {
            await answer(run);
        }
        else
        {
            await Replies.Problem(context, StatusCodes.Status404NotFound, "there is no such run in the board's folder");
        }
    }
}
