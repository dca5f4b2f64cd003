using System.Globalization;
using Fovea.Board.Http;
using Fovea.Evaluation.Report;
using Microsoft.Playwright;

namespace Fovea.Tests.Unit.Board;

/// <summary>The board's pages in a real browser: Debian's Chromium, where it is installed. Pictures of them are kept where FOVEA_BOARD_SHOTS says.</summary>
[Trait("Category", "Long")]
public sealed class BoardBrowserTests(ChromiumBrowser chromium) : IClassFixture<ChromiumBrowser>, IAsyncDisposable
{
    private static readonly string Picture = System.IO.Path.Combine(TestFiles.Golden("qwen2_5_vl_tiny/data"), "images/001_0.png");
    private readonly TempFolder folder = new();
    private readonly List<string> faults = [];
    private ShownBoard? board;

    [Fact]
    public async Task Every_page_shows_what_the_files_hold_in_light_and_dark()
    {
        Runs();
        board = await ShownBoard.Start(folder.Path);
        foreach (var scheme in new[] { ColorScheme.Light, ColorScheme.Dark })
        {
            var page = await Open(scheme);
            Assert.DoesNotContain("token", page.Url, StringComparison.Ordinal);
            await page.GetByText("5 runs", new() { Exact = true }).WaitForAsync();
            Assert.Equal(5, await page.Locator("tbody tr").CountAsync());
            await Look(page, $"list-{scheme}");
            await page.GotoAsync($"{board.Address}/#/run/receipts%2Flora-r8");
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
            await page.GotoAsync($"{board.Address}/#/compare/receipts%2Flora-r8,receipts%2Ffast");
            await page.Locator(".chart").Nth(5).WaitForAsync();
            Assert.Equal(2, await page.Locator(".chart").First.Locator("path").CountAsync() / 2);
            Assert.Equal(["learning_rate"], await page.Locator("tr.differs th").AllInnerTextsAsync());
            await Look(page, $"compare-{scheme}");
            await page.GotoAsync($"{board.Address}/#/run/gone");
            await page.GetByText("there is no such run").WaitForAsync();
        }

        // A page that is not there is told of with 404, which a browser writes to its console.
        Assert.DoesNotContain(faults, fault => !fault.Contains("404", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_live_run_is_followed_and_an_interruption_is_said_and_survived()
    {
        using var run = new BoardRun(folder["live"]);
        run.Steps(5);
        board = await ShownBoard.Start(folder.Path, token: "0123456789abcdef");
        var port = board.Port;
        var page = await Open();
        await page.GetByRole(AriaRole.Link, new() { Name = "live" }).ClickAsync();
        await Expect(page.Locator(".facts dd").First, "5 / 40");
        run.Steps(4);
        await Expect(page.Locator(".facts dd").First, "9 / 40");
        await Expect(page.Locator("#link"), "Connected");
        await board.DisposeAsync();
        await Expect(page.Locator("#link.lost"), "Connection lost. What you see is old; trying again …");
        await Look(page, "lost");
        run.Steps(31);
        board = await ShownBoard.Start(folder.Path, port, "0123456789abcdef");
        await Expect(page.Locator(".facts dd").First, "40 / 40");
        await Expect(page.Locator("#link"), "Connected again");
    }

    [Fact]
    public async Task Five_hundred_runs_are_shown_and_filtered()
    {
        for (var i = 0; i < 500; i++)
        {
            folder.Write($"run{i}/trainer_log.jsonl", $$"""{"current_steps": {{i}}, "total_steps": 500, "loss": 0.5}""" + "\n");
        }

        board = await ShownBoard.Start(folder.Path);
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
        board = await ShownBoard.Start(folder.Path, models: new ModelProxy(server.Address, null));
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
        Assert.Empty(faults);
    }

    [Fact]
    public async Task Everything_is_reached_with_the_keyboard_and_the_focus_is_seen()
    {
        Runs();
        board = await ShownBoard.Start(folder.Path);
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
        Assert.Empty(faults);
    }

    public async ValueTask DisposeAsync()
    {
        if (board is not null)
        {
            await board.DisposeAsync();
        }

        folder.Dispose();
    }

    private static async Task Expect(ILocator where, string text) =>
        await Assertions.Expect(where).ToHaveTextAsync(text, new() { Timeout = 15000 });

    private static async Task<string> Focused(IPage page) => await page.EvaluateAsync<string>("document.activeElement.textContent");

    /// <summary>Every text is as clear against what lies behind it as WCAG 2.2 AA asks, and nothing is wider than the window.</summary>
    private static async Task Look(IPage page, string name)
    {
        if (Environment.GetEnvironmentVariable("FOVEA_BOARD_SHOTS") is { Length: > 0 } shots)
        {
            await page.ScreenshotAsync(new() { Path = System.IO.Path.Combine(shots, $"{name}.png") });
        }

        var pale = await page.EvaluateAsync<string[]>("""
            () => {
              const parse = text => (text.match(/[\d.]+/g) ?? []).map(Number);
              const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
                .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
              const behind = element => {
                for (let at = element; at; at = at.parentElement) {
                  const colour = parse(getComputedStyle(at).backgroundColor);
                  if (colour.length === 3 || colour[3] === 1) return colour;
                }
                return [255, 255, 255];
              };
              const bad = new Set();
              for (const element of document.body.querySelectorAll("*")) {
                const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
                if (!own || !element.getClientRects().length || element.disabled) continue;
                const style = getComputedStyle(element), isSvg = element.namespaceURI.endsWith("svg");
                const [a, b] = [light(parse(isSvg ? style.fill : style.color)), light(behind(element))].sort((x, y) => y - x);
                const ratio = (a + 0.05) / (b + 0.05);
                if (ratio < 4.5) bad.add(`${element.tagName}.${element.className.baseVal ?? element.className}: ${ratio.toFixed(2)}`);
              }
              const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
              return wide > 0 ? [...bad, `${wide} pixels too wide`] : [...bad];
            }
            """);
        Assert.True(pale.Length == 0, string.Create(CultureInfo.InvariantCulture, $"{name}: {string.Join("; ", pale)}"));
    }

    private async Task<IPage> Open(ColorScheme scheme = ColorScheme.Light)
    {
        var context = await chromium.Browser.NewContextAsync(new() { ColorScheme = scheme, ViewportSize = new() { Width = 1280, Height = 860 } });
        context.SetDefaultTimeout(15000);
        var page = await context.NewPageAsync();
        page.PageError += (_, fault) => faults.Add(fault);
        page.Console += (_, message) =>
        {
            if (message.Type == "error")
            {
                faults.Add(message.Text);
            }
        };
        await page.GotoAsync(board!.Url);
        return page;
    }

    private void Runs()
    {
        BoardRun.Finished(folder["receipts/lora-r8"], rate: 1e-4);
        BoardRun.Finished(folder["receipts/fast"], rate: 4e-4);
        using var failed = new BoardRun(folder["charts/full"]);
        failed.Steps(11);
        failed.Fail("CUDA out of memory");
        BoardRun.Finished(folder["demo"], steps: 400, rate: 2e-4);
        using var live = new BoardRun(folder["invoices/live"]);
        live.Steps(17);
        HtmlReport.Write(folder["receipts/lora-r8/predictions.html"], new AnswerReport
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
