using System.Globalization;
using Microsoft.Playwright;

namespace Fovea.Tests.Unit.Board;

/// <summary>A board and its pages in a browser. Pictures of them are kept where FOVEA_BOARD_SHOTS says.</summary>
public abstract class BoardPages(ChromiumBrowser chromium) : IAsyncDisposable
{
    private protected TempFolder Folder { get; } = new();

    /// <summary>What went wrong in a page.</summary>
    protected List<string> Faults { get; } = [];

    private protected ShownBoard? Board { get; set; }

    public async ValueTask DisposeAsync()
    {
        if (Board is not null)
        {
            await Board.DisposeAsync();
        }

        Folder.Dispose();
        GC.SuppressFinalize(this);
    }

    protected static async Task Expect(ILocator where, string text) =>
        await Assertions.Expect(where).ToHaveTextAsync(text, new() { Timeout = 15000 });

    protected static async Task<string> Focused(IPage page) => await page.EvaluateAsync<string>("document.activeElement.textContent");

    /// <summary>Every text is as clear against what lies behind it as WCAG 2.2 AA asks, and nothing is wider than the window.</summary>
    protected static async Task Look(IPage page, string name)
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

    protected async Task<IPage> Open(ColorScheme scheme = ColorScheme.Light)
    {
        var context = await chromium.Browser.NewContextAsync(new() { ColorScheme = scheme, ViewportSize = new() { Width = 1280, Height = 860 } });
        context.SetDefaultTimeout(15000);
        var page = await context.NewPageAsync();
        page.PageError += (_, fault) => Faults.Add(fault);
        page.Console += (_, message) =>
        {
            if (message.Type == "error")
            {
                Faults.Add(message.Text);
            }
        };
        await page.GotoAsync(Board!.Url);
        return page;
    }
}
