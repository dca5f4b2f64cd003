using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Fovea.Tests.Unit.Generation;

/// <summary>Says whether a value satisfies a JSON schema: the plain way, by looking at the whole value.</summary>
internal sealed class SchemaValidator(JsonElement root)
{
    public bool Holds(JsonElement value) => Holds(root, value);

    private static string Type(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "object",
        JsonValueKind.Array => "array",
        JsonValueKind.String => "string",
        JsonValueKind.Number => value.GetRawText().AsSpan().IndexOfAny(".eE") < 0 ? "integer" : "number",
        JsonValueKind.Null => "null",
        _ => "boolean",
    };

    private bool Holds(JsonElement schema, JsonElement value)
    {
        if (schema.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            return schema.ValueKind == JsonValueKind.True;
        }

        foreach (var keyword in schema.EnumerateObject())
        {
            var says = keyword.Value;
            var holds = keyword.Name switch
            {
                "type" => (says.ValueKind == JsonValueKind.Array ? says.EnumerateArray() : Enumerable.Repeat(says, 1))
                    .Any(type => type.GetString() == Type(value) || (type.GetString() == "number" && Type(value) == "integer")),
                "enum" => says.EnumerateArray().Any(item => JsonElement.DeepEquals(item, value)),
                "const" => JsonElement.DeepEquals(says, value),
                "anyOf" => says.EnumerateArray().Any(branch => Holds(branch, value)),
                "oneOf" => says.EnumerateArray().Count(branch => Holds(branch, value)) == 1,
                "allOf" => says.EnumerateArray().All(branch => Holds(branch, value)),
                "$ref" => Holds(says.GetString()!.Split('/').Skip(1).Aggregate(root, (at, key) => at.GetProperty(key)), value),
                _ => value.ValueKind switch
                {
                    JsonValueKind.Object => HoldsObject(schema, keyword.Name, says, value),
                    JsonValueKind.Array => HoldsArray(schema, keyword.Name, says, value),
                    JsonValueKind.String => HoldsText(keyword.Name, says, value.GetString()!),
                    JsonValueKind.Number => HoldsNumber(keyword.Name, says, value.GetDouble()),
                    _ => true,
                },
            };
            if (!holds)
            {
                return false;
            }
        }

        return true;
    }

    private bool HoldsObject(JsonElement schema, string keyword, JsonElement says, JsonElement value) => keyword switch
    {
        "properties" => says.EnumerateObject().All(p => !value.TryGetProperty(p.Name, out var own) || Holds(p.Value, own)),
        "required" => says.EnumerateArray().All(name => value.TryGetProperty(name.GetString()!, out _)),
        "additionalProperties" => value.EnumerateObject().All(p =>
            (schema.TryGetProperty("properties", out var known) && known.TryGetProperty(p.Name, out _)) || Holds(says, p.Value)),
        _ => true,
    };

    private bool HoldsArray(JsonElement schema, string keyword, JsonElement says, JsonElement value)
    {
        var prefix = schema.TryGetProperty("prefixItems", out var listed) ? listed.GetArrayLength() : 0;
        return keyword switch
        {
            "prefixItems" => value.EnumerateArray().Zip(says.EnumerateArray()).All(pair => Holds(pair.Second, pair.First)),
            "items" => value.EnumerateArray().Skip(prefix).All(item => Holds(says, item)),
            "minItems" => value.GetArrayLength() >= says.GetInt32(),
            "maxItems" => value.GetArrayLength() <= says.GetInt32(),
            _ => true,
        };
    }

    private static bool HoldsText(string keyword, JsonElement says, string text) => keyword switch
    {
        "minLength" => text.EnumerateRunes().Count() >= says.GetInt32(),
        "maxLength" => text.EnumerateRunes().Count() <= says.GetInt32(),
        "pattern" => Regex.IsMatch(text, says.GetString()!.TrimEnd('$') + (says.GetString()!.EndsWith('$') ? @"\z" : string.Empty)),
        "format" => says.GetString() switch
        {
            "date" => DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _),
            "date-time" => Regex.IsMatch(text, @"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\z")
                && DateTime.TryParseExact(text[..19], "yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture, DateTimeStyles.None, out _),
            "uuid" => Guid.TryParseExact(text, "D", out _),
            "email" => System.Net.Mail.MailAddress.TryCreate(text, out var address) && address.Address == text,
            "ipv4" => System.Net.IPAddress.TryParse(text, out var address) && address.ToString() == text,
            "time" => Regex.IsMatch(text, @"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)\z"),
            _ => throw new ArgumentException(says.GetString()),
        },
        _ => true,
    };

    private static bool HoldsNumber(string keyword, JsonElement says, double value) => keyword switch
    {
        "minimum" => value >= says.GetDouble(),
        "maximum" => value <= says.GetDouble(),
        "exclusiveMinimum" => value > says.GetDouble(),
        "exclusiveMaximum" => value < says.GetDouble(),
        _ => true,
    };
}
