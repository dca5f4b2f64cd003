using System.Globalization;
using System.Text.Json;

namespace Fovea.AspNetCore.Http;

/// <summary>The fields of a request that say how to generate, for chats and bare texts.</summary>
internal static class GenerationFields
{
    private const int MostStops = 16;
    private const int MostBiases = 1024;

    /// <param name="standard">The model's own settings, in force where a request says nothing.</param>
    public static GenerationOptions Read(Fields fields, GenerationOptions standard, out bool limited)
    {
        var (temperature, topP, topK) = (fields.Number("temperature", 0, 2), fields.Number("top_p", 0, 1), fields.Int("top_k", -1, int.MaxValue));
        var (older, newer) = (fields.Int("max_tokens", 1, int.MaxValue), fields.Int("max_completion_tokens", 1, int.MaxValue));
        if (older is not null && newer is not null && older != newer)
        {
            throw ApiException.Invalid("max_tokens", "is another number than max_completion_tokens");
        }

        limited = (newer ?? older) is not null;
        var greedy = temperature == 0 || topP == 0;
        return standard with
        {
            MaxNewTokens = newer ?? older ?? standard.MaxNewTokens,
            DoSample = !greedy && (standard.DoSample || temperature is not null || topP is not null || topK is not null),
            Temperature = temperature is null or 0 ? standard.Temperature : temperature.Value,
            TopP = topP is null or 0 ? standard.TopP : topP.Value,
            TopK = topK is null ? standard.TopK : Math.Max(0, topK.Value),
            MinP = fields.Number("min_p", 0, 1) ?? standard.MinP,
            RepetitionPenalty = fields.Number("repetition_penalty", 0.01, 10) ?? standard.RepetitionPenalty,
            PresencePenalty = fields.Number("presence_penalty", -2, 2) ?? standard.PresencePenalty,
            FrequencyPenalty = fields.Number("frequency_penalty", -2, 2) ?? standard.FrequencyPenalty,
            Seed = Seed(fields),
            Count = fields.Int("n", 1, 128) ?? 1,
            StopStrings = Stops(fields) ?? standard.StopStrings,
            LogitBias = Bias(fields),
            Constraint = Form(fields),
        };
    }

    private static ulong? Seed(Fields fields) => fields.Take("seed") switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } number when number.TryGetInt64(out var seed) => (ulong)seed,
        _ => throw ApiException.Invalid("seed", "must be a whole number"),
    };

    private static List<string>? Stops(Fields fields)
    {
        if (fields.Take("stop") is not { } stop)
        {
            return null;
        }

        JsonElement[] all = stop.ValueKind == JsonValueKind.Array ? [.. stop.EnumerateArray()] : [stop];
        return all.Length <= MostStops && all.All(text => text.ValueKind == JsonValueKind.String && text.GetString()!.Length > 0)
            ? [.. all.Select(text => text.GetString()!)]
            : throw ApiException.Invalid("stop", $"must be a text or a list of at most {MostStops}, none of them empty");
    }

    private static Dictionary<int, double> Bias(Fields fields)
    {
        var bias = new Dictionary<int, double>();
        if (fields.Take("logit_bias") is not { } given)
        {
            return bias;
        }

        if (given.ValueKind != JsonValueKind.Object || given.GetPropertyCount() > MostBiases)
        {
            throw ApiException.Invalid("logit_bias", $"must be an object of at most {MostBiases} tokens");
        }

        foreach (var one in given.EnumerateObject())
        {
            if (!int.TryParse(one.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                || one.Value.ValueKind != JsonValueKind.Number || !one.Value.TryGetDouble(out var value) || value is < -100 or > 100)
            {
                throw ApiException.Invalid("logit_bias", "must map ids of tokens to numbers from -100 to 100");
            }

            bias[id] = value;
        }

        return bias;
    }

    private static Constraint? Form(Fields fields)
    {
        if (fields.Object("response_format") is not { } format)
        {
            return null;
        }

        var form = format.Need("type") switch
        {
            "text" => null,
            "json_object" => Constraint.JsonObject,
            "json_schema" => Schema(format.Object("json_schema") ?? throw ApiException.Invalid("response_format.json_schema", "is missing")),
            _ => throw ApiException.Invalid("response_format.type", "must be text, json_object or json_schema"),
        };
        format.End();
        return form;
    }

    // What the schema says is held token by token, so it is strict in any case.
    private static Constraint Schema(Fields fields)
    {
        fields.Ignore("name", "description", "strict");
        var schema = fields.Take("schema") ?? throw ApiException.Invalid(fields.Place("schema"), "is missing");
        fields.End();
        return Constraint.JsonSchema(schema.GetRawText());
    }
}
