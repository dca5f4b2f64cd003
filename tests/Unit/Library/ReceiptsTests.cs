using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Fovea.Tests.Unit.Library;

/// <summary>The sample that ends in a service: a tiny model learns to record drawn receipts, and photographs that it never saw are posted to it.</summary>
[Trait("Category", "Long")]
public sealed partial class ReceiptsTests : IDisposable
{
    private const int Posted = 40;
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(8);
    private readonly PackageFeed feed = new();

    [Fact]
    public async Task A_tiny_model_learns_to_record_receipts_and_serves_their_records()
    {
        feed.Pack("Fovea", "Fovea.AspNetCore", "Fovea.Extensions.AI");
        var program = feed.Build("Receipts");
        Assert.Contains("usage: Receipts", feed.Run([program, "fly"], code: 2), StringComparison.Ordinal);

        // One thread rounds the same on every machine.
        using var process = feed.Start([program, "all", "--output", "made", "--url", "http://127.0.0.1:0"], ("OMP_NUM_THREADS", "1"));
        using var late = new Timer(_ => process.Kill(), null, Longest, Timeout.InfiniteTimeSpan);
        var errors = process.StandardError.ReadToEndAsync();
        var output = new List<string>();
        while (Address().Match(output.LastOrDefault(string.Empty)) is not { Success: true })
        {
            output.Add(await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException(string.Join('\n', [.. output, await errors])));
        }

        TestContext.Current.TestOutputHelper?.WriteLine(string.Join('\n', output));

        // Guessing gives a sixth of the shops, a third of the numbers of items, and hardly a date or a total.
        var (before, after) = (Right(output, "before"), Right(output, "after"));
        Assert.Equal(0, before["record"]);
        Assert.InRange(after["shop"], 190, 200);
        Assert.InRange(after["items"], 190, 200);
        Assert.InRange(after["date"], 170, 200);
        Assert.InRange(after["total"], 160, 200);
        Assert.InRange(after["record"], 150, 200);

        using var http = new HttpClient { BaseAddress = new Uri(Address().Match(output[^1]).Groups[1].Value) };
        var data = Path.Combine(feed.Folder, "made/data");
        using var rows = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(data, "receipts_test.json")));
        var right = 0;
        foreach (var row in rows.RootElement.EnumerateArray().Take(Posted))
        {
            var photo = await File.ReadAllBytesAsync(Path.Combine(data, row.GetProperty("images")[0].GetString()!));
            using var reply = await Post(http, photo);
            var record = await reply.Content.ReadAsStringAsync();
            Assert.Equal((HttpStatusCode.OK, "application/json"), (reply.StatusCode, reply.Content.Headers.ContentType?.MediaType));
            AssertRecord(record);
            right += record == row.GetProperty("messages")[1].GetProperty("content").GetString() ? 1 : 0;
        }

        Assert.InRange(right, Posted * 3 / 4, Posted);
        using var refused = await Post(http, "no photograph"u8.ToArray());
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Contains("receipts", await http.GetStringAsync("/v1/models"), StringComparison.Ordinal);

        using (var signal = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]))
        {
            await signal.WaitForExitAsync();
        }

        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }

    public void Dispose() => feed.Dispose();

    [GeneratedRegex(@"^serving POST (http://127\.0\.0\.1:\d+)/receipts$")]
    private static partial Regex Address();

    [GeneratedRegex(@"(\w+) (\d+)(?:,|$)")]
    private static partial Regex Count();

    private static Dictionary<string, int> Right(IEnumerable<string> output, string when) =>
        Count().Matches(output.Single(line => line.StartsWith($"{when}, exactly right of 200: ", StringComparison.Ordinal)).Split(": ")[1])
            .ToDictionary(match => match.Groups[1].Value, match => int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture));

    private static async Task<HttpResponseMessage> Post(HttpClient http, byte[] photo)
    {
        using var file = new ByteArrayContent(photo);
        file.Headers.ContentType = new MediaTypeHeaderValue("image/jpeg");
        using var form = new MultipartFormDataContent { { file, "photo", "photo.jpg" } };
        return await http.PostAsync("/receipts", form);
    }

    /// <summary>The schema: these four, of these types, and nothing else.</summary>
    private static void AssertRecord(string json)
    {
        using var record = JsonDocument.Parse(json);
        Assert.Equal(["shop", "date", "items", "total"], record.RootElement.EnumerateObject().Select(field => field.Name));
        Assert.Equal(JsonValueKind.String, record.RootElement.GetProperty("shop").ValueKind);
        Assert.True(DateOnly.TryParseExact(record.RootElement.GetProperty("date").GetString(), "yyyy-MM-dd", out _), json);
        Assert.True(record.RootElement.GetProperty("items").TryGetInt32(out _), json);
        Assert.True(record.RootElement.GetProperty("total").TryGetDecimal(out _), json);
    }
}
