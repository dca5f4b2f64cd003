using System.Collections.Concurrent;
using Fovea.Hub;
using Fovea.Hub.Fetching;

namespace Fovea.Tests.Unit.Hub;

/// <summary>Cuts, refusals and lies of servers on the way.</summary>
public sealed class BadNetworkTests : HubTest
{
    private const string Weights = "model.safetensors";

    private byte[] Add(int length = 300_000)
    {
        var content = Noise(length);
        Hub.Add(Id).Commit("main", ("config.json", Text("{}")), (Weights, content));
        return content;
    }

    private static async Task Holds(byte[] content, Task<string> fetch) =>
        Assert.Equal(content, await File.ReadAllBytesAsync(Path.Combine(await fetch, Weights)));

    [Fact]
    public async Task Parts_are_asked_for_side_by_side()
    {
        var content = Add();
        await Holds(content, Fetch());
        var parts = Hub.Contents.Where(request => request.Elsewhere).Select(request => request.Range!.Value).OrderBy(range => range.From).ToList();
        Assert.Equal([(0L, 65536L), (65536L, 131072L), (131072L, 196608L), (196608L, 262144L), (262144L, 300000L)], parts.Select(part => (part.From,
            part.To!.Value)));

        // The signed address is asked for once: a hub counts questions.
        Assert.Single(Hub.Contents, request => request.Path.EndsWith(Weights, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Cut_bodies_go_on_where_they_broke_off()
    {
        var content = Add();
        var cuts = new ConcurrentDictionary<long, int>();
        Hub.Change = (request, reply) => request.Elsewhere && cuts.AddOrUpdate(request.Range!.Value.From, 1, (_, n) => n + 1) == 1 && reply.Body.Length > 20_000
            ? reply with { CutAfter = 20_000 } : reply;
        await Holds(content, Fetch());
        Assert.True(Hub.Contents.Count(request => request.Elsewhere) > 8);
        Assert.True(Hub.Contents.Where(request => request.Elsewhere).Sum(request =>
            request.Range!.Value.To!.Value - request.Range.Value.From) < 3 * content.Length);
        Assert.Contains(Hub.Contents, request => request.Elsewhere && request.Range!.Value.From % 65536 != 0);
    }

    [Fact]
    public async Task A_silent_server_is_left()
    {
        var content = Add();
        var silent = 0;
        Hub.Change = (request, reply) => request.Elsewhere && Interlocked.Increment(ref silent) == 2 ? reply with { SilentAfter = 9_000 } : reply;
        using var client = Client(patience: TimeSpan.FromMilliseconds(400));
        await Holds(content, client.Fetch(new FetchRequest(RepoName.Parse(Id)), default));
    }

    [Fact]
    public async Task A_stopped_fetch_goes_on_later()
    {
        var content = Add();
        using var stop = new CancellationTokenSource();
        Hub.Change = (request, reply) => request.Elsewhere && request.Range!.Value.From == 196608
            ? reply with { At = (30_000, async () => { await Task.Delay(100); await stop.CancelAsync(); await Task.Delay(50); }) } : reply;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Fetch(cancel: stop.Token));
        var blobs = Path.Combine(Cache.Path, "models--acme--tiny-vl", "blobs");
        Assert.Single(Directory.GetFiles(blobs, "*.fovea.incomplete"));
        Assert.False(File.Exists(Path.Combine(Cache.Path, "models--acme--tiny-vl", "refs", "main")));
        Hub.Requests.Clear();
        Hub.Change = (_, reply) => reply;
        await Holds(content, Fetch());
        Assert.True(Hub.Contents.Where(request => request.Elsewhere).Sum(request =>
            request.Range!.Value.To!.Value - request.Range.Value.From) < content.Length / 2);
        Assert.Empty(Directory.GetFiles(blobs, "*.fovea.*"));
    }

    [Fact]
    public async Task Too_many_requests_wait_as_long_as_the_server_says()
    {
        var content = Add();
        var refused = new HashSet<string>();
        HubReply? Once(string what, string header, string value) => refused.Add(what) ? HubReply.Error(429) with { Headers = [(header, value)] } : null;
        Hub.Fault = request => request.Path.Contains("/revision/") ? Once("revision", "Retry-After", "7")
            : request.Path.Contains("/tree/") ? Once("tree", "RateLimit", "\"api\";r=0;t=55")
            : request.Elsewhere ? Once("content", "Retry-After", "3")
            : null;
        await Holds(content, Fetch());
        Assert.Equal([TimeSpan.FromSeconds(7), TimeSpan.FromSeconds(55), TimeSpan.FromSeconds(3)], Pauses);
    }

    [Fact]
    public async Task Trouble_of_the_server_is_waited_out_with_growing_pauses()
    {
        var content = Add();
        var refusals = 0;
        Hub.Fault = request => request.Path.Contains("/tree/") && refusals++ < 4 ? HubReply.Error(500 + (refusals % 2 * 3)) : null;
        await Holds(content, Fetch());
        Assert.Equal([1, 2, 4, 8], Pauses.Select(pause => pause.TotalSeconds));
    }

    [Fact]
    public async Task Trouble_that_lasts_is_an_error()
    {
        Add();
        Hub.Fault = request => request.Elsewhere ? HubReply.Error(502) : null;
        var error = await Fails(Fetch());
        Assert.Equal(HubFault.Unreachable, error.Fault);
        Hub.Fault = request => request.Path.Contains("/revision/") ? HubReply.Error(504) : null;
        Assert.Contains("is in trouble (504)", (await Fails(Fetch())).Message);
    }

    [Fact]
    public async Task A_server_without_parts_sends_the_whole()
    {
        var content = Add();
        Hub.Change = (request, reply) => request.Elsewhere ? new HubReply(200, content) : reply;
        await Holds(content, Fetch());
        Assert.Single(Hub.Contents, request => request.Elsewhere);
        Assert.Empty(Pauses);
    }

    [Fact]
    public async Task A_server_without_parts_that_always_breaks_off_is_given_up()
    {
        var content = Add();
        Hub.Change = (request, reply) => request.Elsewhere ? new HubReply(200, content) { CutAfter = 100_000 } : reply;
        Assert.Equal(HubFault.Unreachable, (await Fails(Fetch())).Fault);
        Assert.InRange(Hub.Contents.Count(request => request.Elsewhere), 5, 7);
    }

    [Fact]
    public async Task Another_part_than_asked_for_is_not_taken()
    {
        var content = Add();
        var lies = 0;
        Hub.Change = (request, reply) => request.Elsewhere && request.Range!.Value.From == 65536 && lies++ < 2
            ? new HubReply(206, content[..65536], ("Content-Range", $"bytes 0-65535/{content.Length}")) : reply;
        await Holds(content, Fetch());
        Assert.Equal(2, Pauses.Count);
    }

    [Fact]
    public async Task A_file_that_is_shorter_than_listed_is_an_error()
    {
        var content = Add();
        Hub.Change = (request, reply) => request.Elsewhere && request.Range!.Value.From >= 131072
            ? new HubReply(416, [], ("Content-Range", "bytes */131072")) : reply;
        var error = await Fails(Fetch());
        Assert.Equal(HubFault.Damaged, error.Fault);
        Assert.Contains($"the hub's listing says {content.Length} bytes", error.Message);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_wrong_hash_is_fetched_anew_once(int times)
    {
        var content = Add();
        var wrong = 0;
        Hub.Change = (request, reply) =>
        {
            if (!request.Elsewhere || request.Range!.Value.From != 0 || wrong++ >= times)
            {
                return reply;
            }

            var damaged = reply.Body.ToArray();
            damaged[7] ^= 1;
            return reply with { Body = damaged };
        };
        if (times == 1)
        {
            await Holds(content, Fetch());
            return;
        }

        var error = await Fails(Fetch());
        Assert.Equal(HubFault.Damaged, error.Fault);
        Assert.DoesNotContain(Below(Path.Combine(Cache.Path, "models--acme--tiny-vl", "snapshots")), name => name.EndsWith(Weights, StringComparison.Ordinal));
        Assert.Empty(Directory.GetFiles(Path.Combine(Cache.Path, "models--acme--tiny-vl", "blobs"), "*.fovea.*"));
    }

    [Fact]
    public async Task A_small_file_is_held_against_the_hash_of_git()
    {
        Add();
        Hub.Change = (request, reply) => request.Path.EndsWith("/config.json", StringComparison.Ordinal) ? reply with { Body = Text("[]") } : reply;
        Assert.Equal(HubFault.Damaged, (await Fails(Fetch())).Fault);
    }

    [Fact]
    public async Task A_signature_that_ran_out_is_renewed_by_the_hub()
    {
        var content = Add();
        var served = 0;
        Hub.Fault = request => request.Elsewhere && Interlocked.Increment(ref served) is 2 or 3 ? HubReply.Error(403) : null;
        await Holds(content, Fetch());
        Assert.True(Hub.Contents.Count(request => request.Path.EndsWith(Weights, StringComparison.Ordinal)) > 1);
    }

    [Fact]
    public async Task Redirects_within_the_hub_and_in_circles()
    {
        var content = Add();
        Hub.Fault = request => request.Path.StartsWith("/api/models/old/name/", StringComparison.Ordinal) || request.Path.StartsWith("/old/name/",
            StringComparison.Ordinal)
            ? new HubReply(307, [], ("Location", request.Path.Replace("old/name", Id) + (request.Query.Length > 0 ? "?" + request.Query : string.Empty)))
            : null;
        await Holds(content, Fetch(new FetchRequest(RepoName.Parse("old/name"))));
        Hub.Fault = request => new HubReply(302, [], ("Location", request.Path));
        Assert.Contains("more than 10 redirects", (await Fails(Fetch(new FetchRequest(RepoName.Parse("round/about"))))).Message);
    }
}
