using Microsoft.Playwright;

namespace Fovea.Tests.Unit.Board;

/// <summary>Debian's Chromium, started once for the tests of a class; they skip where it is not installed.</summary>
public sealed class ChromiumBrowser : IAsyncLifetime
{
    private const string Program = "/usr/bin/chromium";
    private IPlaywright? playwright;
    private IBrowser? browser;

    internal IBrowser Browser
    {
        get
        {
            TestFiles.Require(browser is not null, "chromium is not installed (apt-get install chromium)");
            return browser!;
        }
    }

    public async ValueTask InitializeAsync()
    {
        if (File.Exists(Program))
        {
            playwright = await Playwright.CreateAsync();
            browser = await playwright.Chromium.LaunchAsync(new() { ExecutablePath = Program, Args = ["--headless", "--no-sandbox"] });
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (browser is not null)
        {
            await browser.DisposeAsync();
        }

        playwright?.Dispose();
    }
}
