using Fovea;
using Fovea.AspNetCore;
using Microsoft.Extensions.AI;

namespace Receipts;

/// <summary>The product: photographs come in, records go out.</summary>
internal static class Service
{
    private const string Adapter = "receipts";

    public static async Task Run(string model, string adapter, string url, CancellationToken cancel)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls(url);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);

        // The base and the adapter beside it; others can lie there too, and are answered in the same batches.
        builder.Services.AddFovea(model, o => o.Model = new() { NamedAdapters = new Dictionary<string, string> { [Adapter] = adapter } });
        builder.Services.AddFoveaChatClient(Adapter);

        await using var app = builder.Build();
        app.MapPost("/receipts", Record).DisableAntiforgery();

        // The same model for other programs, as OpenAI's API serves one.
        app.MapFovea();
        await app.StartAsync(cancel);
        Console.WriteLine($"serving POST {app.Urls.First()}/receipts");
        await app.WaitForShutdownAsync(cancel);
    }

    private static async Task<IResult> Record(IFormFile photo, IChatClient client, CancellationToken cancel)
    {
        using var bytes = new MemoryStream();
        await photo.CopyToAsync(bytes, cancel);
        var question = new ChatMessage(ChatRole.User, [new DataContent(bytes.ToArray(), photo.ContentType), new TextContent(Receipt.Question)]);
        try
        {
            var answer = await client.GetResponseAsync(
                question, new() { ResponseFormat = Receipt.Format, Temperature = 0, MaxOutputTokens = Receipt.MaxTokens }, cancel);
            return Receipt.Read(answer.Text) is { } receipt
                ? Results.Json(receipt, Receipt.Json)
                : Results.Problem("no record came of this photograph", statusCode: 422);
        }
        catch (ServerBusyException e)
        {
            return Results.Problem(e.Message, statusCode: 503);
        }
        catch (FoveaException e)
        {
            return Results.Problem(e.Message, statusCode: 400);
        }
    }
}
