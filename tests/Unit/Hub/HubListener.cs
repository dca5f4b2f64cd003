using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Fovea.Tests.Unit.Hub;

/// <summary>HTTP by hand on a free port, so that answers can be cut, late and wrong.</summary>
internal sealed class HubListener : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly Func<HubRequest, HubReply> answer;
    private readonly bool elsewhere;

    public HubListener(bool elsewhere, Func<HubRequest, HubReply> answer)
    {
        (this.elsewhere, this.answer) = (elsewhere, answer);
        listener.Start();
        _ = Accept();
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";

    public void Dispose()
    {
        if (!stop.IsCancellationRequested)
        {
            stop.Cancel();
            listener.Dispose();
        }
    }

    private async Task Accept()
    {
        try
        {
            while (true)
            {
                var client = await listener.AcceptTcpClientAsync(stop.Token);
                _ = Task.Run(() => Serve(client));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task Serve(TcpClient client)
    {
        try
        {
            using (client)
            {
                var stream = client.GetStream();
                if (await Read(stream) is { } request)
                {
                    await Write(stream, request, answer(request));
                }
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The client went away.
        }
    }

    private async Task<HubRequest?> Read(NetworkStream stream)
    {
        var head = new List<byte>();
        var one = new byte[1];
        while (head.Count < 4 || head[^1] != '\n' || head[^3] != '\n')
        {
            if (await stream.ReadAsync(one) == 0)
            {
                return null;
            }

            head.Add(one[0]);
        }

        var lines = Encoding.ASCII.GetString([.. head]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var words = lines[0].Split(' ');
        var headers = lines.Skip(1).Select(line => line.Split(':', 2)).ToDictionary(pair => pair[0].ToLowerInvariant(), pair => pair[1].Trim());
        if (headers.GetValueOrDefault("expect") is not null)
        {
            await stream.WriteAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray());
        }

        var body = headers.GetValueOrDefault("transfer-encoding") == "chunked" ? await Chunks(stream)
            : await Exactly(stream, int.Parse(headers.GetValueOrDefault("content-length", "0")));
        var parts = words[1].Split('?', 2);
        return new HubRequest(elsewhere, words[0], Uri.UnescapeDataString(parts[0]), parts.Length > 1 ? parts[1] : string.Empty, headers, body);
    }

    private static async Task<byte[]> Exactly(NetworkStream stream, int length)
    {
        var bytes = new byte[length];
        await stream.ReadExactlyAsync(bytes);
        return bytes;
    }

    private static async Task<byte[]> Chunks(NetworkStream stream)
    {
        var all = new List<byte>();
        while (true)
        {
            var line = new StringBuilder();
            while (!line.ToString().EndsWith("\r\n", StringComparison.Ordinal))
            {
                line.Append((char)(await Exactly(stream, 1))[0]);
            }

            var length = Convert.ToInt32(line.ToString().Trim(), 16);
            all.AddRange(await Exactly(stream, length));
            await Exactly(stream, 2);
            if (length == 0)
            {
                return [.. all];
            }
        }
    }

    private async Task Write(NetworkStream stream, HubRequest request, HubReply reply)
    {
        var head = new StringBuilder($"HTTP/1.1 {reply.Status} {(HttpStatusCode)reply.Status}\r\nConnection: close\r\n");
        var named = reply.Headers.Select(header => header.Name).ToHashSet(StringComparer.OrdinalIgnoreCase);
        if (!named.Contains("Content-Length"))
        {
            head.Append($"Content-Length: {reply.Body.Length}\r\n");
        }

        foreach (var (name, value) in reply.Headers)
        {
            head.Append($"{name}: {value}\r\n");
        }

        await stream.WriteAsync(Encoding.ASCII.GetBytes(head.Append("\r\n").ToString()), stop.Token);
        if (request.Method == "HEAD")
        {
            return;
        }

        var end = reply.CutAfter ?? reply.SilentAfter ?? reply.Body.Length;
        var first = reply.At is { } at ? Math.Min(at.Bytes, end) : end;
        await stream.WriteAsync(reply.Body.AsMemory(0, first), stop.Token);
        if (reply.At is { } act)
        {
            await stream.FlushAsync(stop.Token);
            await act.Act();
            await stream.WriteAsync(reply.Body.AsMemory(first, end - first), stop.Token);
        }

        if (reply.SilentAfter is not null)
        {
            await Exactly(stream, 1); // until the client closes
        }
    }
}
