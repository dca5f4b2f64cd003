using System.CommandLine;
using Fovea.Data.Datasets;
using Fovea.Models;
using Fovea.Running;
using Fovea.Training.Config;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea verify</c>: whether two models, or a model and a server, say the same.</summary>
internal static class VerifyVerb
{
    private static readonly Argument<string> A = new Argument<string>("A") { Description = "Model folder, adapter folder, or YAML of a run." }.IsPath();
    private static readonly Argument<string?> B = new Argument<string?>("B")
    {
        Description = "As A; with --url the model's name there.", Arity = ArgumentArity.ZeroOrOne,
    }.IsPath();
    private static readonly Option<string?> Rows = new Option<string?>("--rows") { Description = "Rows to ask, as training reads them." }.IsPath();
    private static readonly Option<string[]> AdapterA = new Option<string[]>("--adapter-a") { Description = "Adapter folder of A. May be repeated." }.IsPath();
    private static readonly Option<string[]> AdapterB = new Option<string[]>("--adapter-b") { Description = "Adapter folder of B. May be repeated." }.IsPath();
    private static readonly Option<string?> Url = new("--url") { Description = "B is an OpenAI-compatible server; its key is FOVEA_API_KEY." };
    private static readonly Option<int> Most = new("--max-new-tokens") { Description = "Length of the answers.", DefaultValueFactory = _ => 32 };
    private static readonly Option<int?> Limit = new("--limit") { Description = "Ask only the first N rows." };
    private static readonly Option<InferDtype?> Dtype = ModelChoice.Dtype();
    private static readonly Option<bool> Cpu = new("--cpu") { Description = "Use the CPU even if a GPU is found." };
    private static readonly Option<string?> Json = ResultFile.Option();

    public static Command Create()
    {
        var verb = new Command("verify", """
            Compare the answers of two models, or of a model and a server.

            Both are asked the same rows greedily; tokens and log probabilities are compared, and the first difference of each row is shown.
            Exit code 0: no difference; 1: some; 2: something cannot be used.

            Examples:
              fovea verify models/base models/merged --adapter-a saves/mine
              fovea verify mine/run.yaml models/merged --rows mine/held_out.jsonl --limit 20
              fovea verify models/merged --url http://localhost:8000/v1
            """)
        {
            A, B, Rows, AdapterA, AdapterB, Url, Most, Limit, Dtype, Cpu, Json,
        };
        verb.SetAction(parsed => Run(parsed).GetAwaiter().GetResult());
        return verb;
    }

    private static async Task<int> Run(ParseResult parsed)
    {
        var (most, limit, url) = (parsed.GetValue(Most), parsed.GetValue(Limit), parsed.GetValue(Url));
        if (most < 1 || limit < 1)
        {
            throw new ConfigException("--max-new-tokens and --limit must be at least 1");
        }

        try
        {
            using var server = url is null ? null : new VerificationServer(url, Environment.GetEnvironmentVariable("FOVEA_API_KEY"));
            var named = parsed.GetValue(B) ?? (server is null ? throw new ConfigException("B is missing: a second model, or --url") : null);
            var a = Side(parsed, parsed.GetValue(A)!, parsed.GetValue(AdapterA) ?? []);
            var b = server is null ? Side(parsed, UserPath.Expand(named!), parsed.GetValue(AdapterB) ?? []) : a;
            var rows = VerificationRows.Read(parsed.GetValue(Rows), a.Config.Data, limit);
            VerificationModel.Check(a.Config, a.Source);
            VerificationModel.Check(b.Config, b.Source);
            var asked = server is null ? null : await server.Ask(named, rows, most, CancellationToken.None); // first: it may not be there
            var first = await VerificationModel.Ask(a.Config, a.Source, rows, most, Console.Error.WriteLine, CancellationToken.None);
            var second = asked ?? await VerificationModel.Ask(b.Config, b.Source, rows, most, Console.Error.WriteLine, CancellationToken.None);
            var result = VerificationComparison.Of(first, second);
            parsed.InvocationConfiguration.Output.Write(VerificationText.Of(result));
            ResultFile.Save(result, parsed.GetValue(Json));
            return result.Unanswered == rows.Count ? 2 : result.Different + result.Unanswered > 0 ? 1 : 0;
        }
        catch (Exception e) when (e is (FoveaException or IOException or UnauthorizedAccessException) and not ConfigException)
        {
            throw new ConfigException(e.Message); // 1 is a difference here
        }
    }

    private static (TrainConfig Config, ModelSource? Source) Side(ParseResult parsed, string word, string[] adapters)
    {
        var config = File.Exists(word) ? EvalVerb.Read(word, [], null, adapters, ConfigUse.Any)
            : File.Exists(Path.Combine(word, "adapter_config.json")) ? Of(parsed, string.Empty, [word, .. adapters])
            : Of(parsed, word, adapters);
        return ModelChoice.Complete(config with
        {
            Model = config.Model with
            {
                InferDtype = parsed.GetValue(Dtype) ?? config.Model.InferDtype, UseCpu = config.Model.UseCpu || parsed.GetValue(Cpu),
            },
        }, Console.Error);
    }

    // Where no configuration says otherwise, images are beside the file of rows.
    private static TrainConfig Of(ParseResult parsed, string model, string[] adapters) => new()
    {
        Model = new ModelSection { ModelNameOrPath = model, AdapterNameOrPath = adapters },
        Data = new DataOptions { MediaDir = parsed.GetValue(Rows) is { } rows && File.Exists(rows) ? Path.GetDirectoryName(Path.GetFullPath(rows)) : null },
    };
}
