using System.Text.RegularExpressions;

namespace Fovea.Tests.Unit.Board;

/// <summary><c>fovea board</c> as a process.</summary>
public sealed partial class BoardProcessTests
{
    [Fact]
    public async Task It_says_where_it_is_and_ends_when_told_to()
    {
        using var folder = new TempFolder();
        BoardRun.Finished(folder["one"]);
        using var process = FoveaProcess.Start(["board", folder.Path, "--port", "0"], "FOVEA_API_KEY");
        Assert.True(process.WaitUntil(() => process.Output.Contains('\n')), process.Errors);
        var url = Address().Match(process.Output).Value;
        using var http = new HttpClient();
        Assert.Contains("<title>Fovea board</title>", await http.GetStringAsync(url), StringComparison.Ordinal);
        var listed = await http.GetStringAsync(url[..url.IndexOf('?', StringComparison.Ordinal)] + "api/runs");
        Assert.Contains("\"id\":\"one\"", listed, StringComparison.Ordinal);
        process.Signal("TERM");
        Assert.Equal(0, process.Wait());
        Assert.Empty(process.Errors);
    }

    [Fact]
    public void A_folder_that_is_missing_is_told()
    {
        var (code, output, errors) = FoveaProcess.Run("board", "/nowhere/at/all");
        Assert.Equal((2, string.Empty), (code, output));
        Assert.StartsWith("error: /nowhere/at/all: there is no such folder", errors, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+/\?token=[0-9a-f]{48}", RegexOptions.CultureInvariant)]
    private static partial Regex Address();
}
