using Fovea;

namespace Receipts;

/// <summary>How many fields of held-out receipts a model gets exactly right. A total that is nearly right is wrong.</summary>
internal static class Evaluation
{
    private static readonly (string Name, Func<Receipt, object> Of)[] Fields =
    [
        ("shop", receipt => receipt.Shop),
        ("date", receipt => receipt.Date),
        ("items", receipt => receipt.Items),
        ("total", receipt => receipt.Total),
        ("record", receipt => receipt),
    ];

    /// <summary>Asks as the service does: greedily, held to the schema.</summary>
    public static async Task Run(string what, string model, string? adapter, Dataset data, CancellationToken cancel)
    {
        await using var asked = await VisionModel.LoadAsync(model, new() { Adapter = adapter }, cancel);
        var options = asked.Generation with { DoSample = false, MaxNewTokens = Receipt.MaxTokens, Constraint = Constraint.JsonSchema(Receipt.Schema) };
        var rows = await asked.PredictAsync(data.HeldOut(), options, cancel).ToListAsync(cancel);
        var answers = rows.Select(row => (Expected: Receipt.Read(row.Expected)!, Given: Receipt.Read(row.Answer))).ToList();
        var counts = Fields.Select(field => $"{field.Name} {answers.Count(answer =>
            answer.Given is { } given && field.Of(given).Equals(field.Of(answer.Expected)))}");
        Console.WriteLine($"{what}, exactly right of {rows.Count}: {string.Join(", ", counts)}");
        foreach (var row in rows.Take(2))
        {
            Console.WriteLine($"  expected {row.Expected}");
            Console.WriteLine($"  answered {row.Answer}");
        }
    }
}
