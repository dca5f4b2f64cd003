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
    [Trait("Category", "Long")]
    public async Task It_asks_the_program_that_it_runs_in_and_loads_no_libtorch_itself()
    {
        using var folder = new TempFolder();
        using var process = FoveaProcess.Start(["board", folder.Path, "--port", "0"], "FOVEA_API_KEY");
        Assert.True(process.WaitUntil(() => process.Output.Contains('\n')), process.Errors);
        using var http = new HttpClient();
        var url = new Uri(Address().Match(process.Output).Value);
        await http.GetStringAsync(url);
        var yaml = $"model_name_or_path: {TestFiles.Golden("qwen2_5_vl_tiny/model")}\ndataset: x\noutput_dir: {folder["a"]}\nuse_cpu: true\n";
        foreach (var (path, expected) in new[] { ("check", "\"run\":\"a\""), ("plan", "\"family\": \"qwen2_5_vl\"") })
        {
            using var ask = new HttpRequestMessage(HttpMethod.Post, new Uri(url, $"/api/{path}"));
            ask.Headers.Add("Origin", url.GetLeftPart(UriPartial.Authority));
            ask.Content = new StringContent(System.Text.Json.JsonSerializer.Serialize(new { yaml }), null, "application/json");
            using var answer = await http.SendAsync(ask);
            Assert.Contains(expected, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        Assert.DoesNotContain("libtorch_cpu", await File.ReadAllTextAsync($"/proc/{process.Id}/maps"), StringComparison.Ordinal);
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
