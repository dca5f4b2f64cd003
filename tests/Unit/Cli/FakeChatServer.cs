using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Fovea.Tests.Unit.Cli;

/// <summary>An OpenAI-compatible server of this machine: what it answers is the test's.</summary>
internal sealed class FakeChatServer : IDisposable
{
    private readonly HttpListener listener = new();
    private readonly Task serving;

    /// <param name="answer">The choice for a body, as JSON; null: it fails.</param>
    /// <param name="models">The reply to a request for its models.</param>
    public FakeChatServer(Func<JsonElement, string?> answer, string models = """{"data": [{"id": "tiny"}]}""")
    {
        using (var free = new TcpListener(IPAddress.Loopback, 0))
        {
            free.Start();
            Url = $"http://127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}";
        }

        listener.Prefixes.Add(Url + "/");
        listener.Start();
        serving = Task.Run(() => Serve(answer, models));
    }

    public string Url { get; }

    /// <summary>What was asked for completions, in order.</summary>
    public ConcurrentQueue<JsonElement> Bodies { get; } = new();

    public void Dispose()
    {
        listener.Stop();
        serving.GetAwaiter().GetResult();
        listener.Close();
    }

    private async Task Serve(Func<JsonElement, string?> answer, string models)
    {
        while (listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            string? reply = models;
            if (context.Request.Url!.AbsolutePath == "/v1/chat/completions")
            {
                var body = (await JsonDocument.ParseAsync(context.Request.InputStream)).RootElement;
                Bodies.Enqueue(body);
                reply = answer(body) is { } choice ? $$"""{"choices": [{{choice}}]}""" : null;
            }

            context.Response.StatusCode = reply is null ? 500 : 200;
            await context.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(reply ?? "it is broken"));
            context.Response.Close();
        }
    }
}
