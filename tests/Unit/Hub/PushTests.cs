using Fovea.Hub;
using Fovea.Hub.Pushing;

namespace Fovea.Tests.Unit.Hub;

/// <summary>Results on their way to a hub.</summary>
public sealed class PushTests : HubTest
{
    private const string Result = "acme/receipts";
    private readonly TempFolder folder = new();

    private async Task<string> Push(string id = Result, bool? hidden = null, string revision = "main", string? token = FakeHub.Token)
    {
        using var client = Client(token);
        var request = new PushRequest(id, PushFile.In(folder.Path)) { Private = hidden, Message = "Trained for a while", Revision = revision };
        return await client.Push(request, default);
    }

    private byte[] Write()
    {
        var weights = Noise(50_000);
        folder.Write("adapter_model.safetensors", weights);
        folder.Write("adapter_config.json", """{"r": 8}""");
        folder.Write("empty.bin", string.Empty);
        folder.Write("ignored.txt", "x");
        folder.Write(".hidden", "x");
        folder.Write("checkpoint-10/adapter_model.safetensors", Noise(10));
        folder.Write("template/über.jinja", "{{ x }}");
        return weights;
    }

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(16_384)]
    public async Task What_is_pushed_can_be_fetched(int parts)
    {
        var weights = Write();
        Hub.Uploads.PartBytes = parts;
        var address = await Push();
        var commit = Hub.Repos[Result].Refs["main"];
        Assert.Equal($"{Hub.Url}/{Result}/commit/{commit}", address);
        var fetched = await Fetch(Whole(Result));
        Assert.Equal([".gitattributes", "adapter_config.json", "adapter_model.safetensors", "empty.bin", "template/über.jinja"], Below(fetched));
        Assert.Equal(weights, File.ReadAllBytes(Path.Combine(fetched, "adapter_model.safetensors")));
        Assert.Equal("Trained for a while", Hub.Uploads.Commits.Single()[0].GetProperty("value").GetProperty("summary").GetString());
        Assert.All(Hub.Requests.Where(request => request.Elsewhere), request => Assert.Null(request.Header("authorization")));
    }

    [Fact]
    public async Task Pushing_again_commits_what_changed()
    {
        Write();
        await Push();
        Assert.Equal($"{Hub.Url}/{Result}", await Push());
        Assert.Single(Hub.Uploads.Commits);
        folder.Write("adapter_config.json", """{"r": 16}""");
        Hub.Requests.Clear();
        await Push();
        Assert.Equal(["adapter_config.json"], Hub.Uploads.Commits[1].Skip(1).Select(line => line.GetProperty("value").GetProperty("path").GetString()));
        Assert.DoesNotContain(Hub.Requests, request => request.Elsewhere);
    }

    [Fact]
    public async Task A_repository_is_created_as_asked()
    {
        Write();
        await Push("receipts", hidden: true, revision: "second");
        Assert.True(Hub.Repos["ada/receipts"].Private);
        Assert.NotEqual(Hub.Repos["ada/receipts"].Refs["main"], Hub.Repos["ada/receipts"].Refs["second"]);
    }

    [Fact]
    public async Task A_token_of_one_repository_pushes_into_it()
    {
        Write();
        Hub.Uploads.MayCreate = false;
        Assert.Contains("may not create acme/receipts", (await Assert.ThrowsAsync<HubException>(() => Push())).Message);
        Hub.Add(Result).Commit("main", (".gitattributes", []));
        await Push();
        Assert.Single(Hub.Uploads.Commits);
    }

    [Fact]
    public async Task Trouble_of_the_store_is_waited_out()
    {
        var weights = Write();
        Hub.Uploads.PartBytes = 16_384;
        var refused = 0;
        Hub.Fault = request => request.Elsewhere && refused++ < 2 ? HubReply.Error(503) : null;
        await Push();
        Assert.Equal(weights, Hub.Uploads.Stored.Values.Single());
    }

    [Fact]
    public async Task Without_a_token_nothing_is_sent()
    {
        Write();
        var error = await Assert.ThrowsAsync<HubException>(() => Push(token: null));
        Assert.Contains("give a token that may write", error.Message);
        error = await Assert.ThrowsAsync<HubException>(() => Push(token: "hf_wrong"));
        Assert.DoesNotContain("hf_wrong", error.Message);
        Assert.DoesNotContain(Hub.Requests, request => request.Method == "PUT");
    }

    [Fact]
    public void A_card_says_what_was_trained()
    {
        folder.Write("adapter_config.json", """{"base_model_name_or_path": "Qwen/Qwen3-VL-2B-Instruct", "r": 8, "lora_alpha": 16}""");
        folder.Write("all_results.json", """{"eval_loss": 0.25, "train_loss": 0.5, "train_runtime": 3, "eval_samples_per_second": 4, "epoch": 1.0}""");
        var card = (CardText.Of(folder.Path, "Receipts") with { Datasets = ["acme/rows"] }).ToString();
        Assert.Equal("""
            ---
            base_model: "Qwen/Qwen3-VL-2B-Instruct"
            library_name: peft
            pipeline_tag: image-text-to-text
            datasets:
            - "acme/rows"
            tags:
            - "fovea"
            - "lora"
            - "vision-language"
            ---

            # Receipts

            A LoRA adapter for [Qwen/Qwen3-VL-2B-Instruct](https://huggingface.co/Qwen/Qwen3-VL-2B-Instruct). Trained with Fovea.

            ## Training

            - LoRA of rank 8, alpha 16.

            ## Results

            | metric | value |
            |---|---|
            | eval_loss | 0.25 |
            | train_loss | 0.5 |

            """, card, ignoreLineEndingDifferences: true);
        Assert.True(CardText.MayReplace(folder.Path));
        folder.Write("README.md", "# Mine");
        Assert.False(CardText.MayReplace(folder.Path));
    }

    [Fact]
    public void A_folder_as_base_has_no_place_in_a_card()
    {
        folder.Write("adapter_config.json", """{"base_model_name_or_path": "/home/ada/models/base", "r": 8, "lora_alpha": 16}""");
        Assert.DoesNotContain("/home/ada", CardText.Of(folder.Path, "x").ToString());
    }
}
