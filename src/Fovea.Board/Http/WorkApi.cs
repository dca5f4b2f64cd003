using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Fovea.Board.Runs;
using Fovea.Board.Work;
using Fovea.Launch;
using Fovea.Runs.Files;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Fovea.Board.Http;

/// <summary>What the pages have done: settings are checked and kept, runs started, stopped and resumed. Processes of the program itself do it.</summary>
internal sealed partial class WorkApi(RootedFolder files, RunList runs, JobList jobs, OwnProgram program) : IDisposable
{
    private const int MostBytes = 1 << 20;
    private const int Problems = 2; // exit code of a program that could not use what it was told
    private const int Rows = 6;
    private const int MostSaved = 200;

    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web);
    private readonly SemaphoreSlim places = new(2);

    public void Map(IEndpointRouteBuilder app, OwnPage page)
    {
        app.MapGet("/api/form", context => Replies.Json(context, new
        {
            root = files.Path,
            keys = FormKeys.All,
            output = Path.GetRelativePath(Environment.CurrentDirectory, files.Path),
            saved = Saved(),
        }));
        app.MapGet("/api/yaml", Yaml);
        Post("/api/check", async (context, asked) => await Replies.Json(context, await Checked(asked.Yaml ?? string.Empty, context.RequestAborted)));
        Post("/api/samples", (context, asked) => Tell(context, asked, ["samples", "-", "--first", $"{asked.First}", "--rows", $"{Rows}"]));
        Post("/api/plan", (context, asked) => Tell(
            context, asked, string.IsNullOrWhiteSpace(asked.Card) ? ["plan", "-"] : ["plan", "-", $"--card={asked.Card}"]));
        Post("/api/save", Save);
        Post("/api/start", async (context, asked) =>
        {
            var yaml = asked.Yaml ?? string.Empty;
            var checkedRun = await Checked(yaml, context.RequestAborted);
            jobs.Begin(checkedRun.Run, yaml);
            await Replies.Json(context, checkedRun);
        });
        Post("/api/resume", async (context, asked) =>
        {
            var yaml = Settings(asked.Run);
            var checkedRun = await Checked(yaml, context.RequestAborted);
            if (checkedRun.Run != asked.Run)
            {
                throw new ConfigException($"its settings name {checkedRun.Run} as output_dir; relative paths count from {Environment.CurrentDirectory}");
            }

            jobs.Begin(checkedRun.Run, yaml, "resume_from_checkpoint=true");
            await Replies.Json(context, checkedRun);
        });
        Post("/api/stop", (context, asked) => jobs.Interrupt(asked.Run ?? string.Empty) ? Replies.Json(context, new { })
            : throw new ConfigException("this run was not started here, or has ended"));

        void Post(string path, Func<HttpContext, WorkRequest, Task> act)
        {
            page.Allow(path);
            app.MapPost(path, context => Act(context, act));
        }
    }

    public void Dispose() => places.Dispose();

    private static async Task Act(HttpContext context, Func<HttpContext, WorkRequest, Task> act)
    {
        try
        {
            if (context.Request.ContentLength is not <= MostBytes)
            {
                throw new ConfigException("that is longer than any configuration");
            }

            await act(context, await JsonSerializer.DeserializeAsync<WorkRequest>(context.Request.Body, Format, context.RequestAborted)
                ?? throw new JsonException("nothing"));
        }
        catch (ConfigException e)
        {
            context.Response.StatusCode = StatusCodes.Status422UnprocessableEntity;
            await Replies.Json(context, new { problems = e.Problems });
        }
        catch (JsonException e)
        {
            await Replies.Problem(context, StatusCodes.Status400BadRequest, e.Message);
        }
        catch (Exception e) when (e is FoveaException || TextFile.IsUnreadable(e))
        {
            context.Response.StatusCode = StatusCodes.Status422UnprocessableEntity;
            await Replies.Json(context, new { problems = new[] { e.Message } });
        }
    }

    private List<string> Saved() =>
    [
        .. Directory.EnumerateFiles(files.Path, "*.yaml").Where(files.Exists).Select(path => Path.GetFileName(path))
            .Where(name => Name().IsMatch(name)).Order(StringComparer.Ordinal).Take(MostSaved),
    ];

    private Task Yaml(HttpContext context)
    {
        var query = context.Request.Query;
        var text = query["run"] is [{ } run] ? FindSettings(run)
            : query["name"] is [{ } name] && Name().IsMatch(name) && files.Read(Path.Combine(files.Path, name), MostBytes) is { } bytes
                ? Encoding.UTF8.GetString(bytes) : null;
        return text is null
            ? Replies.Problem(context, StatusCodes.Status404NotFound, "there is no such configuration") : Replies.Json(context, new { yaml = text });
    }

    private async Task Save(HttpContext context, WorkRequest asked)
    {
        var name = asked.Name ?? string.Empty;
        if (!Name().IsMatch(name))
        {
            throw new ConfigException("a file's name is of letters, digits, dots, dashes and underscores, begins with none of the signs, and ends in .yaml");
        }

        await Checked(asked.Yaml ?? string.Empty, context.RequestAborted);
        var path = Path.Combine(files.Path, name);
        if (!asked.Replace && Path.Exists(path))
        {
            throw new ConfigException($"{name} is there already");
        }

        AtomicFile.WriteText(Path.Combine(files.Own(), name), asked.Yaml!);
        await Replies.Json(context, new { name });
    }

    /// <summary>Reads a configuration as <c>fovea train</c> does.</summary>
    /// <exception cref="ConfigException">All that is wrong.</exception>
    private async Task<CheckedRun> Checked(string yaml, CancellationToken cancel)
    {
        var read = LogLines.Object(await Ask(["config", "-"], yaml, cancel)) ?? throw new ConfigException("the configuration was not understood");
        var output = read.GetValueOrDefault("output_dir") as string ?? string.Empty;
        var run = files.IdOf(output) ?? throw new ConfigException(
            $"output_dir: {output} is not below {files.Path}, where this board may write; name a folder in it, at most {RunList.MostDepth} deep");
        if (read.GetValueOrDefault("logging_dir") is string logs && files.IdOf(logs) is null)
        {
            throw new ConfigException($"logging_dir: {logs} is not below {files.Path}, where this board may write");
        }

        var notices = (read.GetValueOrDefault("notices") as List<object?> ?? []).OfType<string>().ToList();
        var found = jobs.Over(run, runs.Find(run));
        if (found is not null && found.State != RunState.Running)
        {
            notices.Insert(0, $"{run} holds a run already ({found.State.ToString().ToLowerInvariant()}): it goes on from its last checkpoint, "
                + "or begins anew with overwrite_output_dir: true");
        }

        return new CheckedRun(run, notices);
    }

    private async Task Tell(HttpContext context, WorkRequest asked, string[] arguments)
    {
        var yaml = asked.Yaml ?? Settings(asked.Run);
        await Replies.Send(context, "application/json; charset=utf-8", Encoding.UTF8.GetBytes(await Ask(arguments, yaml, context.RequestAborted)));
    }

    private string Settings(string? run) => FindSettings(run) ?? throw new ConfigException(
        $"this run has left no {ArgumentsSink.FileName}: it has trained nothing, or was made by another program or an earlier version");

    /// <summary>What a run was told: as it says itself, or as it was started here.</summary>
    private string? FindSettings(string? id)
    {
        if (id is null || jobs.Over(id, runs.Find(id)) is not { } run)
        {
            return null;
        }

        return files.Read(run.File(ArgumentsSink.FileName), MostBytes) is { } bytes ? Encoding.UTF8.GetString(bytes) : jobs.SettingsOf(id);
    }

    private async Task<string> Ask(IReadOnlyList<string> arguments, string yaml, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(Longest);
        await places.WaitAsync(limit.Token);
        try
        {
            var end = await program.Ask(["describe", .. arguments], yaml, limit.Token);
            if (end.Code == 0)
            {
                return end.Output;
            }

            const string error = "error: ";
            var lines = end.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            var problems = lines.Where(line => line.StartsWith(error, StringComparison.Ordinal)).Select(line => line[error.Length..]).ToList();
            throw new ConfigException(end.Code == Problems && problems.Count > 0 ? problems
                : problems.Count > 0 ? problems : [$"fovea describe ended with code {end.Code}: {lines.LastOrDefault()}"]);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new ConfigException($"that took more than {Longest.TotalMinutes:0} minutes; fovea data check and fovea plan have no such limit");
        }
        finally
        {
            places.Release();
        }
    }

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.yaml\z", RegexOptions.CultureInvariant)]
    private static partial Regex Name();
}
