using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.AI;

namespace Receipts;

/// <summary>What the business wants to know of a receipt: the schema of the model's answers, and what the endpoint gives to its callers.</summary>
internal sealed record Receipt(string Shop, DateOnly Date, int Items, decimal Total)
{
    /// <summary>The same words in training and in service: that is the question the adapter knows.</summary>
    public const string Question = "Record this receipt.";

    /// <summary>More than any record takes.</summary>
    public const int MaxTokens = 64;

    /// <summary>One way to write a record, so that a model need not learn two.</summary>
    public static JsonSerializerOptions Json { get; } = new(JsonSerializerOptions.Web) { NumberHandling = JsonNumberHandling.Strict };

    /// <summary>An answer is held to this, token by token.</summary>
    public static ChatResponseFormatJson Format { get; } = ChatResponseFormat.ForJsonSchema<Receipt>(Json);

    public static string Schema => Format.Schema!.Value.GetRawText();

    /// <returns>Null where an answer is no record, for instance because it was cut off.</returns>
    public static Receipt? Read(string answer)
    {
        try
        {
            return JsonSerializer.Deserialize<Receipt>(answer, Json);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public override string ToString() => JsonSerializer.Serialize(this, Json);
}
