using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Fovea.Tests.Unit.Cli;

/// <summary><c>fovea verify</c>: two sides that answer alike, and what it says where they do not.</summary>
public sealed class VerifyVerbTests : IDisposable
{
    private static readonly string Model = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly string Adapter = TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens");
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_base_with_its_adapter_equals_the_merged_folder_and_differs_from_the_base_alone()
    {
        var merged = folder["merged"];
        using (var export = FoveaProcess.Start(["export", "--model", Model, "--adapter", Adapter, "--out", merged]))
        {
            Assert.True(export.Wait() == 0, export.Output + export.Errors);
        }

        string[] words = ["verify", Model, merged, "--adapter-a", Adapter, "--cpu", "--max-new-tokens", "6"];
        using (var same = FoveaProcess.Start(words))
        {
            Assert.True(same.Wait() == 0, same.Output + same.Errors);
        }

        using (var base_ = FoveaProcess.Start(["verify", Model, Model, "--adapter-a", Adapter, "--cpu", "--max-new-tokens", "6", "--limit", "2"]))
        {
            Assert.Equal(1, base_.Wait());
            Assert.Contains("2 different", base_.Output, StringComparison.Ordinal);
        }

        File.Delete(Path.Combine(merged, "preprocessor_config.json"));
        using var lacking = FoveaProcess.Start([.. words, "--limit", "1"]);
        Assert.Equal(2, lacking.Wait());
        Assert.Contains("preprocessor_config.json", lacking.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_answers_something_else_is_found_out()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var asked = Task.Run(() => Serve(listener));
        using var verify = FoveaProcess.Start(
            ["verify", Model, "tiny", "--url", $"http://127.0.0.1:{port}/v1", "--cpu", "--max-new-tokens", "4", "--limit", "1"]);
        Assert.Equal(1, verify.Wait());
        Assert.Contains("1 different", verify.Output, StringComparison.Ordinal);
        listener.Stop();
        using var body = JsonDocument.Parse(await asked);
        Assert.Equal(0, body.RootElement.GetProperty("temperature").GetDouble());
        Assert.Equal(("tiny", true), (body.RootElement.GetProperty("model").GetString(), body.RootElement.GetProperty("logprobs").GetBoolean()));
    }

    // One request, answered with a text that no model of random weights gives.
    private static string Serve(TcpListener listener)
    {
        using var client = listener.AcceptTcpClient();
        using var stream = client.GetStream();
        var (read, buffer) = (new MemoryStream(), new byte[1 << 16]);
        while (true)
        {
            read.Write(buffer, 0, stream.Read(buffer));
            var text = Encoding.UTF8.GetString(read.ToArray());
            var head = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (head < 0)
            {
                continue;
            }

            var length = text[..head].Split("\r\n").Where(line => line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))
                .Select(line => int.Parse(line.Split(':')[1], System.Globalization.CultureInfo.InvariantCulture)).SingleOrDefault(-1);
            var chunked = text[..head].Contains("chunked", StringComparison.OrdinalIgnoreCase);
            var whole = chunked ? text.EndsWith("0\r\n\r\n", StringComparison.Ordinal) : length >= 0 && read.Length >= head + 4 + length;
            if (whole)
            {
                const string reply = """{"choices":[{"index":0,"message":{"role":"assistant","content":"something else"},"finish_reason":"stop"}]}""";
                stream.Write(Encoding.UTF8.GetBytes(
                    $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {reply.Length}\r\nConnection: close\r\n\r\n{reply}"));
                var json = text[(head + 4)..];
                return json[json.IndexOf('{', StringComparison.Ordinal)..(json.LastIndexOf('}') + 1)];
            }
        }
    }
}
