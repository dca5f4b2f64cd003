using Fovea.Board.Http;
using Fovea.Evaluation.Report;
using Microsoft.Playwright;

namespace Fovea.Tests.Unit.Board;

/// <summary>The board's pages in a real browser: Debian's Chromium, where it is installed. Pictures of them are kept where FOVEA_BOARD_SHOTS says.</summary>
[Trait("Category", "Long")]
public sealed class BoardBrowserTests(ChromiumBrowser chromium) : BoardPages(chromium), IClassFixture<ChromiumBrowser>
{
    private static readonly string Picture = System.IO.Path.Combine(TestFiles.Golden("qwen2_5_vl_tiny/data"), "images/001_0.png");
    [Fact]
    public async Task Every_page_shows_what_the_files_hold_in_light_and_dark()
    {
        Runs();
        Board = await ShownBoard.Start(Folder.Path);
        foreach (var scheme in new[] { ColorScheme.Light, ColorScheme.Dark })
        {
            var page = await Open(scheme);
            Assert.DoesNotContain("token", page.Url, StringComparison.Ordinal);
            await page.GetByText("5 runs", new() { Exact = true }).WaitForAsync();
            Assert.Equal(5, await page.Locator("tbody tr").CountAsync());
            await Look(page, $"list-{scheme}");
            await page.GotoAsync($"{Board.Address}/#/run/receipts%2Flora-r8");
            await Expect(page.Locator("h1"), "receipts/lora-r8");
            await page.Locator(".chart").Nth(5).WaitForAsync();
            await page.Locator("#smoothing").FillAsync("0.8");
            Assert.Equal(2, await page.Locator(".chart").First.Locator("path").CountAsync()); // the values, and their mean
            await page.Locator("#log").CheckAsync();
            await page.Locator(".chart svg").First.HoverAsync();
            Assert.Contains("step ", await page.Locator(".chart .tip").First.InnerTextAsync(), StringComparison.Ordinal);
            await Look(page, $"run-{scheme}");
            await page.GetByRole(AriaRole.Link, new() { Name = "Results and settings" }).ClickAsync();
            await page.GetByText("lora_rank").WaitForAsync();
            await Look(page, $"results-{scheme}");
            await page.GetByRole(AriaRole.Link, new() { Name = "Log" }).ClickAsync();
            await page.GetByText("steps done in").WaitForAsync();
            await Look(page, $"log-{scheme}");
            await page.GetByRole(AriaRole.Link, new() { Name = "Answers" }).ClickAsync();
            var report = page.FrameLocator("iframe");
            await Expect(report.Locator(".row dd").First, "What is this?");
            Assert.NotEqual(0, await report.Locator("img").First.EvaluateAsync<int>("img => img.naturalWidth"));
            await Look(page, $"answers-{scheme}");
            await page.GotoAsync($"{Board.Address}/#/compare/receipts%2Flora-r8,receipts%2Ffast");
            await page.Locator(".chart").Nth(5).WaitForAsync();
            Assert.Equal(2, await page.Locator(".chart").First.Locator("path").CountAsync() / 2);
            Assert.Equal(["learning_rate"], await page.Locator("tr.differs th").AllInnerTextsAsync());
            await Look(page, $"compare-{scheme}");
            await page.GotoAsync($"{Board.Address}/#/run/gone");
            await page.GetByText("there is no such run").WaitForAsync();
        }

        // A page that is not there is told of with 404, which a browser writes to its console.
        Assert.DoesNotContain(Faults, fault => !fault.Contains("404", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_live_run_is_followed_and_an_interruption_is_said_and_survived()
    {
        using var run = new BoardRun(Folder["live"]);
        run.Steps(5);
        Board = await ShownBoard.Start(Folder.Path, token: "0123456789abcdef");
        var port = Board.Port;
        var page = await Open();
        await page.GetByRole(AriaRole.Link, new() { Name = "live" }).ClickAsync();
        await Expect(page.Locator(".facts dd").First, "5 / 40");
        run.Steps(4);
        await Expect(page.Locator(".facts dd").First, "9 / 40");
        await Expect(page.Locator("#link"), "Connected");
        await Board.DisposeAsync();
        await Expect(page.Locator("#link.lost"), "Connection lost. What you see is old; trying again …");
        await Look(page, "lost");
        run.Steps(31);
        Board = await ShownBoard.Start(Folder.Path, port, "0123456789abcdef");
        await Expect(page.Locator(".facts dd").First, "40 / 40");
        await Expect(page.Locator("#link"), "Connected again");
    }

    [Fact]
    public async Task Five_hundred_runs_are_shown_and_filtered()
    {
        for (var i = 0; i < 500; i++)
        {
            Folder.Write($"run{i}/trainer_log.jsonl", $$"""{"current_steps": {{i}}, "total_steps": 500, "loss": 0.5}""" + "\n");
        }

        Board = await ShownBoard.Start(Folder.Path);
        var page = await Open();
        await Expect(page.Locator(".tools .hint"), "500 runs");
        await page.Locator("#search").FillAsync("run49");
        await Expect(page.Locator(".tools .hint"), "11 of 500 runs");
        Assert.Equal(11, await page.Locator("tbody tr:visible").CountAsync());
    }

    [Fact]
    public async Task Base_and_tuned_model_are_asked_side_by_side()
    {
        await using var server = await AskedServer.Start();
        Board = await ShownBoard.Start(Folder.Path, models: new ModelProxy(server.Address, null));
        var page = await Open();
        await page.GetByRole(AriaRole.Link, new() { Name = "Ask" }).ClickAsync();
        await page.Locator("#question").FillAsync("What is the total?");
        await page.Locator("#picture").SetInputFilesAsync(Picture);
        await page.Locator("img.picture").WaitForAsync();
        await page.Locator("#question").PressAsync("Tab");
        await page.GetByRole(AriaRole.Button, new() { Name = "Ask" }).ClickAsync();
        await page.Locator(".answer").Nth(1).GetByText("What is the total?").WaitForAsync();
        Assert.Contains("data:image/png;base64,", await page.Locator(".answer").First.InnerTextAsync(), StringComparison.Ordinal);
        await Look(page, "ask");
        Assert.Empty(Faults);
    }

    [Fact]
    public async Task Everything_is_reached_with_the_keyboard_and_the_focus_is_seen()
    {
        Runs();
        Board = await ShownBoard.Start(Folder.Path);
        var page = await Open();
        await page.GetByText("5 runs", new() { Exact = true }).WaitForAsync();
        await page.Keyboard.PressAsync("Tab");
        Assert.Equal("Skip to content", await Focused(page));
        await page.Locator("#search").FocusAsync();
        await page.Keyboard.TypeAsync("receipts");
        await Expect(page.Locator(".tools .hint"), "2 of 5 runs");
        foreach (var _ in new[] { 1, 2 })
        {
            await page.Keyboard.PressAsync("Tab");
            Assert.Equal("solid", await page.EvaluateAsync<string>("getComputedStyle(document.activeElement).outlineStyle"));
            await page.Keyboard.PressAsync("Space");
            await page.Keyboard.PressAsync("Tab");
        }

        await page.GetByRole(AriaRole.Button, new() { Name = "Compare 2 runs" }).FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("h1"), "2 runs compared");
        await page.Locator(".chart svg").First.FocusAsync();
        await page.Keyboard.PressAsync("End");
        Assert.Contains("step 40", await page.Locator(".chart .tip").First.InnerTextAsync(), StringComparison.Ordinal);
        await page.Keyboard.PressAsync("ArrowLeft");
        Assert.Contains("step 39", await page.Locator(".chart .tip").First.InnerTextAsync(), StringComparison.Ordinal);
        await page.Keyboard.PressAsync("Escape");
        Assert.False(await page.Locator(".chart .tip").First.IsVisibleAsync());
        Assert.Empty(Faults);
    }

    private void Runs()
    {
        BoardRun.Finished(Folder["receipts/lora-r8"], rate: 1e-4);
        BoardRun.Finished(Folder["receipts/fast"], rate: 4e-4);
        using var failed = new BoardRun(Folder["charts/full"]);
        failed.Steps(11);
        failed.Fail("CUDA out of memory");
        BoardRun.Finished(Folder["demo"], steps: 400, rate: 2e-4);
        using var live = new BoardRun(Folder["invoices/live"]);
        live.Steps(17);
        HtmlReport.Write(Folder["receipts/lora-r8/predictions.html"], new AnswerReport
        {
            Title = "Answers", Metrics = [new("rouge-l", 61.5)],
            Rows =
            [
                .. new[] { 0.2, 1 }.Select((score, i) => new ReportRow
                {
                    Id = $"row {i + 1}", Expected = "a red circle", Score = score,
                    Turns = [new("What is this?", score < 1 ? "a blue square" : "a red circle") { Images = [MediaSource.FromFile(Picture)] }],
                }),
            ],
        });
    }
}
