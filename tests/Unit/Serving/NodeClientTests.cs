using System.Diagnostics;
using System.Text.Json;

namespace Fovea.Tests.Unit.Serving;

/// <summary>npm's official client against a served model; where <c>npm install</c> was run in tests/clients.</summary>
public sealed class NodeClientTests : NativeTest
{
    private static readonly string Clients = Path.Combine(TestFiles.Root, "tests", "clients");
    private ServedApp? app;

    [Fact]
    public async Task What_it_gets_is_what_the_model_answers()
    {
        TestFiles.Require(Directory.Exists(Path.Combine(Clients, "node_modules", "openai")), "npm's openai is not installed (npm install in tests/clients)");
        app = ServedApp.Start(options => options.ApiKeys = ["secret"]);
        using var node = Process.Start(new ProcessStartInfo("node", ["openai.mjs", app.Url, "tiny", ServedApp.Picture])
        {
            WorkingDirectory = Clients, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var (output, errors) = (node.StandardOutput.ReadToEndAsync(), node.StandardError.ReadToEndAsync());
        await node.WaitForExitAsync();
        Assert.True(node.ExitCode == 0, await errors);
        using var got = JsonDocument.Parse(await output);
        var greedy = app.Server.Model.Generation with { DoSample = false, MaxNewTokens = 12 };
        var expected = await app.Server.Model.AnswerAsync([Message.User(Image.FromFile(ServedApp.Picture), "What do you see?")], greedy);
        Assert.Equal(expected.Text, Text("text"));
        Assert.Equal(expected.Text, Text("streamed"));
        Assert.StartsWith("req_", Text("requestId"), StringComparison.Ordinal);
        Assert.Equal((12, 12), (got.RootElement.GetProperty("tokens").GetInt32(), got.RootElement.GetProperty("logprobs").GetInt32()));
        Assert.True(got.RootElement.GetProperty("json").TryGetProperty("ok", out _));
        Assert.NotEmpty(Text("bare"));
        Assert.Equal("""["tiny","tuned"]""", got.RootElement.GetProperty("models").GetRawText());
        Assert.Equal(
            """[[404,"model_not_found","model"],[400,"unsupported_parameter","tools"]]""", got.RootElement.GetProperty("errors").GetRawText());

        string Text(string name) => got.RootElement.GetProperty(name).GetString()!;
    }

    protected override void Cleanup() => app?.DisposeAsync().AsTask().GetAwaiter().GetResult();
}
