using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Fovea.AspNetCore;
using Fovea.AspNetCore.Http;
using Fovea.AspNetCore.Media;
using Microsoft.Extensions.Logging;

namespace Fovea.Tests.Unit.Serving;

/// <summary>What somebody who means harm may try: files, addresses, bombs, sizes, headers, keys.</summary>
public sealed class ServingSecurityTests : NativeTest
{
    private readonly TempFolder root = new();
    private readonly ConcurrentQueue<string> logged = new();
    private readonly ServedApp app;

    public ServingSecurityTests()
    {
        Directory.CreateDirectory(root.File("media/sub"));
        File.Copy(ServedApp.Picture, root.File("media/sub/a b.png"));
        File.Copy(ServedApp.Picture, root.File("secret.png"));
        File.CreateSymbolicLink(root.File("media/out.png"), root.File("secret.png"));
        File.CreateSymbolicLink(root.File("media/up"), root.Path);
        File.CreateSymbolicLink(root.File("media/in.png"), root.File("media/sub/a b.png"));
        app = ServedApp.Start(
            options =>
            {
                (options.AllowUrls, options.MediaRoot, options.ApiKeys) = (true, root.File("media"), ["the-secret-key"]);
                (options.MaxBodyBytes, options.MaxImageBytes) = (200_000, 100_000);
                options.Limits = options.Limits with { MaxImagePixels = 1_000_000 };
            },
            logging: logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(new Kept(logged)));
        app.Http.DefaultRequestHeaders.Add("Authorization", "Bearer the-secret-key");
    }

    [Fact]
    public async Task Files_are_read_below_the_folder_alone()
    {
        var media = root.File("media");
        foreach (var inside in new[] { $"file://{media}/sub/a%20b.png", "file:sub/a%20b.png", $"file://localhost{media}/in.png", "file:up/media/in.png" })
        {
            Assert.Equal((inside, HttpStatusCode.OK), (inside, (await app.See(inside)).Status));
        }

        foreach (var outside in new[]
        {
            $"file://{root.Path}/secret.png", "file:../secret.png", "file:sub/../../secret.png", "file:%2e%2e/secret.png", "file:%2e%2e%2fsecret.png",
            "file:out.png", "file:up/secret.png", $"file://{media}/../secret.png", $"file://{media}-not/x.png", "file:///etc/passwd",
            "file:///proc/self/environ", "file:none.png", "file:sub", "file:sub/a%00b.png", "file:", "FILE:../secret.png",
        })
        {
            var (status, json) = await app.See(outside);
            Assert.Equal((outside, HttpStatusCode.BadRequest), (outside, status));
            Assert.EndsWith("there is no such file below the server's media folder", Message(json), StringComparison.Ordinal);
        }

        Assert.Equal(HttpStatusCode.BadRequest, (await app.See("file://elsewhere/share/a.png")).Status);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.1")]
    [InlineData("0x7f.1")]
    [InlineData("2130706433")]
    [InlineData("0177.0.0.1")]
    [InlineData("0.0.0.0")]
    [InlineData("localhost")]
    [InlineData("localhost.")]
    [InlineData("169.254.169.254")]
    [InlineData("[::1]")]
    [InlineData("[::]")]
    [InlineData("[::ffff:127.0.0.1]")]
    [InlineData("[::ffff:a9fe:a9fe]")]
    [InlineData("[64:ff9b::7f00:1]")]
    [InlineData("[fd00:ec2::254]")]
    [InlineData("[fe80::1]")]
    [InlineData("10.0.0.1")]
    [InlineData("user:word@example.com")]
    public async Task Addresses_that_are_not_public_are_not_connected_to(string host)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var (status, json) = await app.See($"http://{host}:{((IPEndPoint)listener.LocalEndpoint).Port}/a.png");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.StartsWith("messages[0].content[1].image_url.url: ", Message(json), StringComparison.Ordinal);
        Assert.False(listener.Pending());
    }

    [Theory]
    [InlineData(true, "8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "172.32.0.1", "100.128.0.1", "192.167.255.255")]
    [InlineData(
        false, "10.255.255.255", "100.64.0.1", "127.255.255.254", "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "192.0.2.1", "198.18.0.1",
        "198.51.100.7", "203.0.113.9", "224.0.0.1", "255.255.255.255", "0.1.2.3", "::", "::1", "::7f00:1", "fc00::1", "fdff::1", "fe80::1", "fec0::1",
        "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "::ffff:10.0.0.1", "3fff::1")]
    public void Addresses_are_public_or_not(bool expected, params string[] addresses) =>
        Assert.All(addresses, address => Assert.True(PublicAddress.Is(IPAddress.Parse(address)) == expected, address));

    [Fact]
    public async Task A_redirect_and_a_name_are_looked_at_as_the_address_itself_and_the_connection_goes_where_it_was_looked()
    {
        // 127.0.0.1 stands for the internet here, 127.0.0.2 for a private network.
        using var inner = new Redirector(IPAddress.Parse("127.0.0.2"), _ => null);
        string? target = null;
        using var outer = new Redirector(IPAddress.Loopback, path => path == "/moved" ? target : null);
        var asked = 0;
        using var fetcher = new UrlFetcher(
            100_000, TimeSpan.FromSeconds(5), address => address.Equals(IPAddress.Loopback),
            (name, _) => Task.FromResult<IPAddress[]>(
                name == "public.test" ? [IPAddress.Loopback]
                : name == "both.test" ? [IPAddress.Loopback, IPAddress.Parse("127.0.0.2")]
                : name == "turns.test" && asked++ > 0 ? [IPAddress.Parse("127.0.0.2")]
                : name == "turns.test" ? [IPAddress.Loopback]
                : [IPAddress.Parse("127.0.0.2")]));
        Assert.NotEmpty(await fetcher.Fetch(new Uri($"http://public.test:{outer.Port}/a.png"), "url", CancellationToken.None));
        target = $"http://public.test:{outer.Port}/a.png";
        Assert.NotEmpty(await fetcher.Fetch(new Uri($"http://public.test:{outer.Port}/moved"), "url", CancellationToken.None));

        // The connection that a name once had is to the address that was looked at.
        Assert.NotEmpty(await fetcher.Fetch(new Uri($"http://turns.test:{outer.Port}/a.png"), "url", CancellationToken.None));
        var outside = $"http://127.0.0.2:{inner.Port}/";
        foreach (var to in new[] { outside, $"http://private.test:{inner.Port}/", "file:///etc/passwd", $"http://public.test:{outer.Port}/moved" })
        {
            target = to;
            await Refused($"http://public.test:{outer.Port}/moved");
        }

        await Refused($"http://both.test:{outer.Port}/a.png");
        await Refused($"http://127.0.0.2:{inner.Port}/");
        Assert.Equal(0, inner.Asked);

        async Task Refused(string url) => Assert.Contains(
            "cannot be fetched", (await Assert.ThrowsAsync<ApiException>(() => fetcher.Fetch(new Uri(url), "url", CancellationToken.None))).Message
                .Replace("the address gave no image", "cannot be fetched", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_fetched_has_a_limit_whatever_it_says_of_its_length()
    {
        using var server = new Redirector(IPAddress.Loopback, _ => null, bytes: 300_000);
        using var fetcher = new UrlFetcher(100_000, TimeSpan.FromSeconds(5), _ => true, (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Loopback]));
        var error = await Assert.ThrowsAsync<ApiException>(() => fetcher.Fetch(new Uri($"http://a.test:{server.Port}/"), "url", CancellationToken.None));
        Assert.Contains("more than 100000 bytes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bomb_of_pixels_is_refused_by_its_header()
    {
        // 60,000 x 60,000 pixels in a file of a few bytes.
        var header = new byte[13];
        BinaryPrimitives.WriteUInt32BigEndian(header, 60_000);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(4), 60_000);
        (header[8], header[9]) = (8, 2);
        byte[] png = [0x89, .. "PNG\r\n\x1a\n"u8, .. Chunk("IHDR", header), .. Chunk("IDAT", []), .. Chunk("IEND", [])];
        var (status, json) = await app.See($"data:image/png;base64,{Convert.ToBase64String(png)}");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("60000 x 60000 pixels", Message(json), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, (await app.See("data:image/png;base64," + Convert.ToBase64String("no image"u8))).Status);
        Assert.Contains("100000 bytes", Message((await app.See("data:image/png;base64," + new string('A', 140_000))).Json), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_that_is_too_large_is_refused_declared_or_not()
    {
        var text = $"{{\"model\": \"{new string('x', 300_000)}\"}}";
        foreach (var chunked in new[] { false, true })
        {
            using var content = new StringContent(text, Encoding.UTF8, "application/json");
            using var ask = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = content };
            ask.Headers.TransferEncodingChunked = chunked;
            using var reply = await app.Http.SendAsync(ask);
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, reply.StatusCode);
            Assert.Contains("request_too_large", await reply.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_body_that_unfolds_or_is_nested_without_end_is_refused()
    {
        // A schema, or anything else, nested as deep as the body's size allows.
        foreach (var deep in new[] { new string('[', 190_000), $"{string.Concat(Enumerable.Repeat("{'a':", 30_000))}1{new string('}', 30_000)}" })
        {
            var (status, json) = await app.Chat($", 'response_format': {{'type': 'json_schema', 'json_schema': {{'name': 'x', 'schema': {deep}}}}}");
            Assert.Equal((HttpStatusCode.BadRequest, "invalid_json"), (status, json.GetProperty("error").GetProperty("code").GetString()));
            Assert.True(Message(json).Length < 300);
        }

        // Nothing is unpacked: 100 MB of spaces are 100 kB of gzip.
        using var packed = new MemoryStream();
        await using (var gzip = new GZipStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            await gzip.WriteAsync(new byte[100_000_000]);
        }

        using var content = new ByteArrayContent(packed.ToArray());
        content.Headers.ContentType = new("application/json");
        content.Headers.ContentEncoding.Add("gzip");
        using var reply = await app.Http.PostAsync("/v1/chat/completions", content);
        Assert.Equal(HttpStatusCode.BadRequest, reply.StatusCode);
    }

    [Fact]
    public async Task A_picture_of_a_few_pixels_that_unfolds_to_much_more_costs_what_its_pixels_do()
    {
        // 10 x 10 pixels, and 60 MB behind them in the same stream.
        var header = new byte[13];
        BinaryPrimitives.WriteUInt32BigEndian(header, 10);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(4), 10);
        (header[8], header[9]) = (8, 2);
        using var packed = new MemoryStream();
        await using (var zlib = new ZLibStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            await zlib.WriteAsync(new byte[60_000_000]);
        }

        byte[] png = [0x89, .. "PNG\r\n\x1a\n"u8, .. Chunk("IHDR", header), .. Chunk("IDAT", packed.ToArray()), .. Chunk("IEND", [])];
        var before = GC.GetTotalAllocatedBytes();
        var (status, _) = await app.See($"data:image/png;base64,{Convert.ToBase64String(png)}");
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 20_000_000);
        Assert.True(status is HttpStatusCode.OK or HttpStatusCode.BadRequest, $"{status}");
    }

    [Theory]
    [InlineData("Content-Length: 4\r\nTransfer-Encoding: chunked")]
    [InlineData("Content-Length: 4\r\nContent-Length: 5")]
    [InlineData("Transfer-Encoding: xchunked")]
    [InlineData("Transfer-Encoding: chunked, identity")]
    [InlineData("Content-Length: -1")]
    [InlineData("Content-Length: 4\nX: y")]
    [InlineData("Content-Length : 4")]
    public async Task Headers_that_two_readers_may_read_differently_end_the_connection(string headers)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, new Uri(app.Url).Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{headers}\r\n\r\n0\r\n\r\n"
            + "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"));
        using var reader = new StreamReader(stream);
        var replies = await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(30));
        Assert.DoesNotContain("HTTP/1.1 200", replies, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_request_id_reaches_headers_and_logs_only_when_it_is_harmless()
    {
        using var ask = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
        ask.Headers.TryAddWithoutValidation("x-request-id", "a b\"<script>");
        using var reply = await app.Http.SendAsync(ask);
        Assert.StartsWith("req_", reply.Headers.GetValues("x-request-id").Single(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keys_are_asked_for_and_never_shown()
    {
        foreach (var (key, right) in new[]
        {
            ("the-secret-key", true), ("the-secret-ke", false), ("the-secret-key2", false), (string.Empty, false), ("wrong-one", false),
        })
        {
            using var ask = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
            ask.Headers.TryAddWithoutValidation("Authorization", "Bearer " + key);
            using var client = new HttpClient { BaseAddress = new Uri(app.Url) };
            using var reply = await client.SendAsync(ask);
            Assert.Equal((key, right ? HttpStatusCode.OK : HttpStatusCode.Unauthorized), (key, reply.StatusCode));
            Assert.DoesNotContain("the-secret-key", await reply.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/health")).StatusCode);
            Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/metrics")).StatusCode);
        }

        await app.Chat();
        await app.Http.GetAsync("/v1/models?api_key=the-secret-key");
        Assert.NotEmpty(logged);

        // ASP.NET Core itself logs addresses with their queries, which no key belongs into; the program's own log has none.
        Assert.All(logged.Where(line => line.StartsWith("Fovea", StringComparison.Ordinal)), Harmless);
        Assert.All(logged.Where(line => !line.Contains("api_key=", StringComparison.Ordinal)), Harmless);

        static void Harmless(string line)
        {
            Assert.DoesNotContain("the-secret-key", line, StringComparison.Ordinal);
            Assert.DoesNotContain("wrong-one", line, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Beyond_this_machine_a_key_is_needed()
    {
        foreach (var host in new[] { "0.0.0.0", "::", "192.168.0.7" })
        {
            var error = Assert.Throws<ConfigException>(() => FoveaHost.Build(new FoveaOptions { Folder = "x" }, host, 0, []));
            Assert.Contains("--api-key", error.Message, StringComparison.Ordinal);
        }

        foreach (var host in new[] { "127.0.0.1", "localhost", "::1", "127.0.0.9" })
        {
            await using var built = FoveaHost.Build(new FoveaOptions { Folder = "x" }, host, 0, []);
        }
    }

    [Fact]
    public async Task Without_a_key_only_pages_and_programs_that_mean_this_machine_are_answered()
    {
        await using var open = ServedApp.Start();
        using var ask = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
        ask.Headers.Host = "rebound.test";
        Assert.Equal(HttpStatusCode.BadRequest, (await open.Http.SendAsync(ask)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await open.Http.GetAsync("/v1/models")).StatusCode);
    }

    protected override void Cleanup()
    {
        app.DisposeAsync().AsTask().GetAwaiter().GetResult();
        root.Dispose();
    }

    private static string Message(System.Text.Json.JsonElement json) => json.GetProperty("error").GetProperty("message").GetString()!;

    private static byte[] Chunk(string name, byte[] data)
    {
        byte[] named = [.. Encoding.ASCII.GetBytes(name), .. data];
        var (length, sum) = (new byte[4], new byte[4]);
        BinaryPrimitives.WriteInt32BigEndian(length, data.Length);
        BinaryPrimitives.WriteUInt32BigEndian(sum, Crc32.Append(0, named));
        return [.. length, .. named, .. sum];
    }

    // A server of a few lines: every path is a redirect or bytes.
    private sealed class Redirector : IDisposable
    {
        private readonly TcpListener listener;
        private int asked;

        public Redirector(IPAddress address, Func<string, string?> target, int bytes = 100)
        {
            listener = new TcpListener(address, 0);
            listener.Start();
            Port = ((IPEndPoint)listener.LocalEndpoint).Port;
            _ = Serve(target, bytes);
        }

        public int Port { get; }

        public int Asked => asked;

        public void Dispose() => listener.Dispose();

        private async Task Serve(Func<string, string?> target, int bytes)
        {
            try
            {
                while (true)
                {
                    using var client = await listener.AcceptTcpClientAsync();
                    Interlocked.Increment(ref asked);
                    using var reader = new StreamReader(client.GetStream());
                    var path = (await reader.ReadLineAsync())!.Split(' ')[1];
                    while (await reader.ReadLineAsync() is { Length: > 0 })
                    {
                    }

                    var reply = target(path) is { } to ? $"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                        : $"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{new string('x', bytes)}";
                    await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(reply));
                }
            }
            catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
            {
                // The test is over, or the client had enough.
            }
        }
    }

    private sealed class Kept(ConcurrentQueue<string> lines) : ILoggerProvider, ILogger
    {
        private string category = string.Empty;

        public ILogger CreateLogger(string categoryName) => new Kept(lines) { category = categoryName };

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue($"{category}: {formatter(state, exception)} {exception}");

        public void Dispose()
        {
        }
    }
}
