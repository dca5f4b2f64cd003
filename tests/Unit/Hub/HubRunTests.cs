using System.Text;
using Fovea.Tests.Distributed;

namespace Fovea.Tests.Unit.Hub;

/// <summary>Whole runs whose model, adapter and dataset are names on a hub, and whose result goes there.</summary>
[Trait("Category", "Long")]
public sealed class HubRunTests : HubTest
{
    private const string Base = "acme/tiny";
    private const string Rows = "datasets/acme/shapes";
    private const int Large = 4_000_000;
    private static readonly string Data = TestFiles.Golden("qwen2_5_vl_tiny/data");
    private readonly TempFolder folder = new();
    private readonly string config;

    public HubRunTests()
    {
        var model = TestFiles.Golden("qwen2_5_vl_tiny/model");
        Hub.Add(Base).Commit("main", [.. Directory.GetFiles(model).Select(file => (Path.GetFileName(file), File.ReadAllBytes(file)))]);
        Hub.Add(Rows).Commit("main",
            ("README.md", Text("""
                ---
                license: mit
                configs:
                - config_name: small
                  default: true
                  data_files:
                  - split: train
                    path: "small/train-*"
                  - split: test
                    path: small/test.json
                - config_name: large
                  data_files: "large/**/*.json"
                ---
                # Shapes
                """)),
            ("small/train-00.json", File.ReadAllBytes(Path.Combine(Data, "tiny_shapes.json"))),
            ("small/test.json", Text("[]")), ("large/a/rows.json", Text("[]")), ("pictures.zip", Noise(1000)));
        folder.Write("dataset_info.json", """
            {"shapes": {"hf_hub_url": "acme/shapes", "formatting": "sharegpt", "columns": {"messages": "messages", "images": "images"},
             "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}}}
            """);
        config = folder.Write("run.yaml", $"""
            model_name_or_path: {Base}
            stage: sft
            do_train: true
            finetuning_type: lora
            dataset: shapes
            dataset_dir: {folder.Path}
            media_dir: {Data}
            template: qwen2_vl
            max_samples: 8
            per_device_train_batch_size: 1
            gradient_accumulation_steps: 1
            learning_rate: 1.0e-3
            max_steps: 2
            logging_steps: 1
            use_cpu: true
            vision_cache_dir: none
            """);
    }

    [Fact]
    public void A_run_by_names_pushes_its_result_and_the_next_goes_on_from_there()
    {
        var (code, output, errors) = Train("first", "push_to_hub=true", "hub_model_id=acme/first");
        Assert.True(code == 0, output + errors);
        var pushed = Hub.Repos["acme/first"].Commits[Hub.Repos["acme/first"].Refs["main"]];
        Assert.Equal(File.ReadAllBytes(folder.File("first/adapter_model.safetensors")), pushed["adapter_model.safetensors"].Content);
        Assert.Contains($"\"base_model_name_or_path\": \"{Base}\"", Encoding.UTF8.GetString(pushed["adapter_config.json"].Content), StringComparison.Ordinal);
        var card = Encoding.UTF8.GetString(pushed["README.md"].Content);
        Assert.Contains($"base_model: \"{Base}\"", card, StringComparison.Ordinal);
        Assert.Contains("- \"acme/shapes\"", card, StringComparison.Ordinal);
        Assert.DoesNotContain(FakeHub.Token, output + errors + card, StringComparison.Ordinal);

        // Of the dataset came what its card calls the split of its default part.
        var snapshot = Directory.GetDirectories(Path.Combine(Cache.Path, "datasets--acme--shapes", "snapshots")).Single();
        Assert.Equal(["README.md", "small/train-00.json"], Below(snapshot));

        Hub.Requests.Clear();
        (code, output, errors) = Train("second", "adapter_name_or_path=acme/first");
        Assert.True(code == 0, output + errors);
        var fetched = Hub.Contents.Where(request => !request.Elsewhere).Select(request => request.Path).ToList();
        Assert.All(fetched, path => Assert.StartsWith("/acme/first/", path, StringComparison.Ordinal)); // all else is there
        Assert.Contains(fetched, path => path.EndsWith("/adapter_model.safetensors", StringComparison.Ordinal));
        Assert.NotEqual(File.ReadAllBytes(folder.File("first/adapter_model.safetensors")), File.ReadAllBytes(folder.File("second/adapter_model.safetensors")));
    }

    [Fact]
    public void A_push_that_fails_leaves_the_result_and_says_so()
    {
        Hub.Fault = request => request.Method == "POST" ? HubReply.Error(403, message: "this token may only read") : null;
        var (code, output, errors) = Train("out", "push_to_hub=true", "hub_model_id=acme/out");
        Assert.Equal(1, code);
        Assert.Contains($"error: the run has ended, and its result is in {folder.File("out")}, but it was not pushed: ", errors, StringComparison.Ordinal);
        Assert.Contains($"fovea push {folder.File("out")} acme/out", errors, StringComparison.Ordinal);
        Assert.Contains("mean loss", output, StringComparison.Ordinal);
        foreach (var file in new[] { "adapter_model.safetensors", "train_results.json" })
        {
            Assert.True(File.Exists(folder.File($"out/{file}")), file);
        }

        Hub.Fault = _ => null;
        using var push = Start("push", folder.File("out"), "acme/out");
        Assert.True(push.Wait() == 0, push.Errors);
        Assert.Contains("adapter_model.safetensors", Hub.Repos["acme/out"].Commits[Hub.Repos["acme/out"].Refs["main"]].Keys);
    }

    [Fact]
    public void Without_a_token_a_run_that_is_to_push_does_not_begin()
    {
        var (code, _, errors) = TrainAs(null, "out", "push_to_hub=true");
        Assert.Equal((2, "error: push_to_hub: there is no token: set HF_TOKEN or hub_token to one that may write"), (code, errors.Trim()));
        Assert.Empty(Hub.Requests);
        Assert.False(Directory.Exists(folder.File("out")));
    }

    [Fact]
    public void Two_ranks_fetch_once()
    {
        using var process = FoveaProcess.StartWith(Variables(FakeHub.Token, ("NPROC_PER_NODE", "2")), Arguments("two"));
        Assert.True(process.Wait() == 0, process.Output + process.Errors);
        Assert.True(File.Exists(folder.File("two/adapter_model.safetensors")));
        Assert.All(
            Hub.Contents.GroupBy(request => (request.Elsewhere, request.Path, request.Range?.From)), same => Assert.True(same.Count() == 1, $"{same.Key}"));
        Assert.Contains(Hub.Contents, request => request.Path.EndsWith("small/train-00.json", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("fetch")]
    [InlineData("train")]
    [InlineData("launch")]
    public void Ctrl_C_in_the_middle_of_a_fetch_keeps_what_came(string how)
    {
        var started = new TaskCompletionSource<FoveaProcess>(TaskCreationOptions.RunContinuationsAsynchronously);
        Hub.Change = (request, reply) => !request.Elsewhere || reply.Body.Length < Large ? reply : reply with
        {
            At = (Large, async () =>
            {
                var process = await started.Task;
                process.WaitUntil(() => LinesOf(Journal()) > 1); // behind the first is one for each piece that was written
                process.Signal("INT");
                process.Wait();
            }),
        };
        using (var process = Begin())
        {
            started.SetResult(process);
            Assert.Equal(130, process.Wait());
            Assert.Contains("goes on from here", process.Errors, StringComparison.Ordinal);
            Assert.DoesNotContain("error:", process.Errors, StringComparison.Ordinal);
        }

        Assert.False(Directory.Exists(folder.File(how)));
        Assert.NotNull(Journal());
        Hub.Change = (_, reply) => reply;
        Hub.Requests.Clear();
        using var again = Begin();
        Assert.True(again.Wait() == 0, again.Output + again.Errors);
        Assert.All(Hub.Requests.Where(request => request.Elsewhere), request => Assert.True(request.Range?.From >= 1 << 20, $"{request.Path} {request.Range}"));
        Assert.Contains(Hub.Requests, request => request.Elsewhere);

        FoveaProcess Begin() => how == "fetch"
            ? Start("fetch", Base)
            : FoveaProcess.StartWith(Variables(FakeHub.Token, ("NPROC_PER_NODE", how == "launch" ? "2" : null)), Arguments(how));

        string? Journal() => Directory.EnumerateFiles(Cache.Path, "*.ranges", SearchOption.AllDirectories).FirstOrDefault();

        static int LinesOf(string? journal) => journal is not null && File.Exists(journal) ? File.ReadAllText(journal).Count(c => c == '\n') : 0;
    }

    private protected override void Cleanup() => folder.Dispose();

    private Dictionary<string, string?> Variables(string? token, params (string Name, string? Value)[] more) => LaunchRun.Variables(
        [("HF_ENDPOINT", Hub.Url), ("HF_HUB_CACHE", Cache.Path), ("HF_HUB_OFFLINE", null), ("HF_TOKEN", token), ("HF_HOME", Cache.Path), .. more]);

    private string[] Arguments(string name, params string[] overrides) => ["train", config, $"output_dir={folder.File(name)}", .. overrides];

    private FoveaProcess Start(params string[] arguments) => FoveaProcess.StartWith(Variables(FakeHub.Token), arguments);

    private (int Code, string Output, string Errors) Train(string name, params string[] overrides) => TrainAs(FakeHub.Token, name, overrides);

    private (int Code, string Output, string Errors) TrainAs(string? token, string name, params string[] overrides)
    {
        using var process = FoveaProcess.StartWith(Variables(token), Arguments(name, overrides));
        return (process.Wait(), process.Output, process.Errors);
    }
}
