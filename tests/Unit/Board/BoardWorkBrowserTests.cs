using Fovea.Board.Http;
using Fovea.Tests.Unit.Robustness;
using Microsoft.Playwright;

namespace Fovea.Tests.Unit.Board;

/// <summary>The pages that do something, in a real browser: form, samples, plan, answers that come piece by piece.</summary>
[Trait("Category", "Long")]
public sealed class BoardWorkBrowserTests(ChromiumBrowser chromium) : BoardPages(chromium), IClassFixture<ChromiumBrowser>
{
    [Fact]
    public async Task A_run_is_written_checked_started_watched_stopped_and_resumed()
    {
        using var tiny = new TinyRun();
        Board = await ShownBoard.Start(tiny.Folder, works: true);
        var page = await Open();
        await page.GetByRole(AriaRole.Link, new() { Name = "New run" }).ClickAsync();
        await Fill(page, tiny, "form/first");
        await page.GetByLabel("warmup_ratio").FillAsync("7");
        await Button(page, "Check").ClickAsync();
        await page.GetByText("Not yet right").WaitForAsync();
        Assert.Contains("7 is not allowed", await page.Locator("#key-warmup_ratio-fault").InnerTextAsync(), StringComparison.Ordinal);
        Assert.Equal("true", await page.GetByLabel("warmup_ratio").GetAttributeAsync("aria-invalid"));
        await Look(page, "new-wrong");
        await page.GetByLabel("warmup_ratio").FillAsync(string.Empty);
        await Button(page, "Check").ClickAsync();
        await page.GetByText("Valid. The run will be called form/first.").WaitForAsync();
        Assert.Contains("\nmax_steps: 4000\n", await page.Locator(".yaml").InnerTextAsync(), StringComparison.Ordinal);
        await Look(page, "new");
        await page.Locator("#name").FillAsync("first.yaml");
        await Button(page, "Save YAML").ClickAsync();
        await page.GetByText("Saved as first.yaml").WaitForAsync();
        await Button(page, "Start").ClickAsync();
        await Expect(page.Locator("h1"), "form/first");
        await page.Locator(".chart", new() { HasText = "Gradient norm" }).WaitForAsync(new() { Timeout = 60000 });
        await Look(page, "new-live");
        await page.GetByRole(AriaRole.Link, new() { Name = "Results and settings" }).ClickAsync();
        await page.GetByRole(AriaRole.Row, new() { Name = "max_steps" }).WaitForAsync();
        Assert.Equal(0, await page.GetByText("lora_rank").CountAsync());
        await page.Locator("#all").CheckAsync();
        await page.GetByText("lora_rank").First.WaitForAsync();
        await Button(page, "Stop").ClickAsync();
        await page.Locator(".state.stopped").WaitForAsync(new() { Timeout = 60000 });
        await page.GetByRole(AriaRole.Link, new() { Name = "Log" }).ClickAsync();
        await page.GetByText("stopped after step").First.WaitForAsync();
        await Look(page, "new-stopped");
        await Button(page, "Resume").ClickAsync();
        await page.Locator(".state.running").WaitForAsync(new() { Timeout = 60000 });
        await page.GetByText("from step").Last.WaitForAsync(new() { Timeout = 60000 });
        await Button(page, "Stop").ClickAsync();
        await page.Locator(".state.stopped").WaitForAsync(new() { Timeout = 60000 });
        await page.GetByRole(AriaRole.Link, new() { Name = "Samples" }).ClickAsync();
        await page.Locator("mark.trained").Nth(3).WaitForAsync(new() { Timeout = 60000 });
        await page.GetByRole(AriaRole.Link, new() { Name = "New run from this" }).ClickAsync();
        await Assertions.Expect(page.GetByLabel("output_dir", new() { Exact = true })).ToHaveValueAsync(tiny.Out("form/first-2"));
        await Assertions.Expect(page.GetByLabel("max_steps")).ToHaveValueAsync("4000");
        Assert.DoesNotContain(Faults, fault => !fault.Contains("422", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Samples_and_plan_are_shown_of_what_is_written()
    {
        using var tiny = new TinyRun();
        Board = await ShownBoard.Start(tiny.Folder, works: true);
        foreach (var scheme in new[] { ColorScheme.Light, ColorScheme.Dark })
        {
            var page = await Open(scheme);
            await page.GetByRole(AriaRole.Link, new() { Name = "New run" }).ClickAsync();
            await Fill(page, tiny, "out");
            await Button(page, "Samples").ClickAsync();
            await page.Locator(".sample").Nth(5).WaitForAsync(new() { Timeout = 60000 });
            Assert.NotEqual(0, await page.Locator(".sample img").First.EvaluateAsync<int>("img => img.naturalWidth"));
            Assert.NotEqual(0, await page.Locator("mark.trained").CountAsync());
            await Look(page, $"samples-{scheme}");
            await Button(page, "Later").ClickAsync();
            await page.GetByText("7 to 12 of 24").WaitForAsync(new() { Timeout = 60000 });
            await Button(page, "Memory plan").ClickAsync();
            await page.Locator(".bar-row").First.WaitForAsync(new() { Timeout = 60000 });
            await page.Locator("#card").FillAsync("64MiB");
            await page.Locator("#card").PressAsync("Enter");
            await page.GetByText("too much").First.WaitForAsync(new() { Timeout = 60000 });
            await Look(page, $"plan-{scheme}");
        }

        Assert.Empty(Faults);
    }

    [Fact]
    public async Task The_form_is_filled_and_sent_with_the_keyboard()
    {
        using var tiny = new TinyRun();
        Board = await ShownBoard.Start(tiny.Folder, works: true);
        var page = await Open();
        await page.GetByRole(AriaRole.Link, new() { Name = "New run" }).FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await page.GetByLabel("model_name_or_path").FocusAsync();
        await page.Keyboard.TypeAsync("models/My: odd # name");
        await page.Keyboard.PressAsync("Tab");
        Assert.Equal("key-template", await page.EvaluateAsync<string>("document.activeElement.id"));
        Assert.Equal("solid", await page.EvaluateAsync<string>("getComputedStyle(document.activeElement).outlineStyle"));
        Assert.Contains("model_name_or_path: \"models/My: odd # name\"", await page.Locator(".yaml").InnerTextAsync(), StringComparison.Ordinal);
        await page.Locator("#other").FocusAsync();
        await page.Keyboard.TypeAsync("packing");
        await page.Keyboard.TypeAsync("_nothing");
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.PressAsync("Enter");
        await page.GetByText("There is no such key.").WaitForAsync();
        await page.Locator("#other").FillAsync("early_stopping_steps");
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Locator("#more")).ToHaveValueAsync("early_stopping_steps: null\n");
        await Button(page, "Check").FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await page.GetByText("Not yet right").WaitForAsync();
        Assert.DoesNotContain(Faults, fault => !fault.Contains("422", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_board_that_only_shows_offers_nothing_to_do()
    {
        BoardRun.Finished(Folder["one"]);
        Board = await ShownBoard.Start(Folder.Path);
        var page = await Open();
        await page.GetByText("1 runs", new() { Exact = true }).WaitForAsync();
        Assert.False(await page.Locator("#new").IsVisibleAsync());
        await page.GotoAsync($"{Board.Address}/#/run/one/samples");
        await page.GetByText("--read-only").WaitForAsync();
        Assert.Equal(0, await page.Locator(".actions button, .actions a").CountAsync());
        await page.GotoAsync($"{Board.Address}/#/new");
        await page.GetByText("it shows runs, and starts none").WaitForAsync();
        Assert.DoesNotContain(Faults, fault => !fault.Contains("404", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Answers_are_shown_as_they_come_and_can_be_cancelled()
    {
        await using var server = await AskedServer.Start();
        Board = await ShownBoard.Start(Folder.Path, models: new ModelProxy(server.Address, null));
        var page = await Open();
        await page.GetByRole(AriaRole.Link, new() { Name = "Ask" }).ClickAsync();
        await page.Locator("#question").FillAsync("wait");
        await Button(page, "Ask").ClickAsync();
        await Expect(page.Locator(".answered").Nth(0), "first ");
        await Expect(page.Locator(".answered").Nth(1), "first ");
        await Look(page, "ask-streaming");
        server.GoOn("base");
        await Expect(page.Locator(".answered").Nth(0), "first second");
        await page.GetByText("2 tokens in").WaitForAsync();
        await Button(page, "Cancel").ClickAsync();
        await page.GetByText("Cancelled.").WaitForAsync();
        await Expect(page.Locator(".answered").Nth(1), "first ");
        await server.Left.WaitAsync(TimeSpan.FromSeconds(15), TestContext.Current.CancellationToken); // the model stops, too
        Assert.Empty(Faults);
    }

    [Fact]
    public async Task Real_models_answer_through_the_board_and_stop_when_told_to()
    {
        using var serve = Serving.ServeProcessTests.Start("--adapter", $"tuned={TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens")}", "--name", "tiny");
        var address = Serving.ServeProcessTests.UrlOf(serve);
        Board = await ShownBoard.Start(Folder.Path, models: new ModelProxy(address, null));
        var page = await Open();
        await page.GetByRole(AriaRole.Link, new() { Name = "Ask" }).ClickAsync();
        await page.Locator("#question").FillAsync("What is this?");
        await page.Locator("#picture").SetInputFilesAsync(System.IO.Path.Combine(TestFiles.Golden("qwen2_5_vl_tiny/data"), "images/001_0.png"));
        await page.Locator("img.picture").WaitForAsync();
        await page.Locator("#tokens").FillAsync("12");
        await Button(page, "Ask").ClickAsync();
        await page.GetByText("All have answered.").WaitForAsync(new() { Timeout = 60000 });
        Assert.Equal(2, await page.GetByText("tokens in").CountAsync());
        foreach (var answer in await page.Locator(".answered").AllInnerTextsAsync())
        {
            Assert.DoesNotContain("No answer", answer, StringComparison.Ordinal);
        }

        await Look(page, "ask-real");
        Assert.Empty(Faults);
    }

    private static ILocator Button(IPage page, string name) => page.GetByRole(AriaRole.Button, new() { Name = name, Exact = true });

    private static async Task Fill(IPage page, TinyRun tiny, string output)
    {
        await page.GetByLabel("model_name_or_path").FillAsync(TinyRun.Model);
        await page.GetByLabel("dataset", new() { Exact = true }).FillAsync("tiny_shapes");
        await page.GetByLabel("dataset_dir").FillAsync(TestFiles.Golden("qwen2_5_vl_tiny/data"));
        await page.GetByLabel("max_samples").FillAsync("24");
        await page.GetByLabel("max_steps").FillAsync("4000");
        await page.GetByLabel("learning_rate").FillAsync("1.0e-3");
        await page.GetByLabel("logging_steps").FillAsync("1");
        await page.GetByLabel("use_cpu").SelectOptionAsync("true");
        await page.GetByLabel("output_dir", new() { Exact = true }).FillAsync(tiny.Out(output));
        await page.Locator("#more").FillAsync("vision_cache_dir: none\n");
    }
}
