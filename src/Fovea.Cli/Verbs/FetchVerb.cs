using System.CommandLine;
using Fovea.Cli.Views;
using Fovea.Hub;
using Fovea.Hub.Fetching;
using Fovea.Training.Config;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea fetch ID</c>: brings a model, an adapter or a dataset from a hub into the cache.</summary>
internal static class FetchVerb
{
    public static Command Create()
    {
        var id = new Argument<string>("ID") { Description = "Name on the hub, org/name; @revision may follow." };
        var revision = new Option<string?>("--revision") { Description = "Branch, tag or commit; default: the main branch." };
        var include = new Option<string[]>("--include") { Description = "Fetch only files that match such a pattern, and all of these. May be repeated." };
        var exclude = new Option<string[]>("--exclude") { Description = "Leave out files that match such a pattern. May be repeated." };
        var kind = new Option<string>("--repo-type") { Description = "model or dataset.", DefaultValueFactory = _ => "model" };
        kind.AcceptOnlyFromAmong("model", "dataset");
        var cache = new Option<string?>("--cache-dir") { Description = "Cache folder; default: that of Hugging Face's client." }.IsPath();
        var verb = new Command("fetch", """
            Fetch a model, an adapter or a dataset from the hub into the cache that Python's client uses too; prints its folder.

            Without --include, only what a model is trained and run from: weights (safetensors before others), configuration, tokenizer, processor,
            chat template. What was cut off goes on where it stopped. HF_TOKEN, HF_HOME, HF_ENDPOINT, USE_MODELSCOPE_HUB: docs/hub.md.

            Examples:
              fovea fetch Qwen/Qwen3-VL-2B-Instruct
              fovea fetch openbmb/MiniCPM-V-2_6 --revision main --exclude "*.pdf"
              fovea fetch BUAADreamer/llava-en-zh-300k --repo-type dataset --include "en/*"
            """)
        {
            id, revision, include, exclude, kind, cache,
        };
        verb.SetAction((parsed, cancel) =>
        {
            var repo = RepoName.Parse(parsed.GetRequiredValue(id), parsed.GetRequiredValue(kind) == "dataset" ? RepoKind.Dataset : RepoKind.Model);
            var files = new FileChoice { Include = Glob.All(parsed.GetValue(include) ?? []), Exclude = Glob.All(parsed.GetValue(exclude) ?? []) };
            var settings = new HubSection { CacheDir = parsed.GetValue(cache) }.Settings();
            return Run(repo, parsed.GetValue(revision), files, settings, parsed.InvocationConfiguration.Output, cancel);
        });
        return verb;
    }

    private static async Task<int> Run(
        RepoName repo, string? revision, FileChoice files, HubSettings settings, TextWriter output, CancellationToken cancel)
    {
        using var client = new HubClient(settings);
        try
        {
            var request = new FetchRequest(repo, revision) { Files = files, Progress = FetchProgress.On(Console.Error) };
            await output.WriteLineAsync(await client.Fetch(request, cancel));
            return 0;
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync("\nstopped; the same command goes on from here");
            return 130;
        }
    }
}
