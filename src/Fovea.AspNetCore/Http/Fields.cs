using System.Text.Json;

namespace Fovea.AspNetCore.Http;

/// <summary>The fields of a JSON object of a request: each is read by its name, and what nobody has read at the end is refused.</summary>
internal sealed class Fields
{
    private readonly string at;
    private readonly Dictionary<string, JsonElement> left = new(StringComparer.Ordinal);

    /// <param name="at">Its own place in the request; empty for the whole.</param>
    /// <exception cref="ApiException">It is no object.</exception>
    public Fields(JsonElement json, string at)
    {
        this.at = at;
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw ApiException.Invalid(at.Length > 0 ? at : "body", "must be an object");
        }

        foreach (var field in json.EnumerateObject())
        {
            left.Add(field.Name, field.Value);
        }
    }

    /// <summary>Its place in the request.</summary>
    public string Place(string name) => at.Length > 0 ? $"{at}.{name}" : name;

    /// <summary>A field that may be left out or null.</summary>
    public JsonElement? Take(string name) => left.Remove(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public string? Text(string name) => Take(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } text => Whole(name, text),
        _ => throw ApiException.Invalid(Place(name), "must be a text"),
    };

    public string Need(string name) => Text(name) ?? throw ApiException.Invalid(Place(name), "is missing");

    public bool? Flag(string name) => Take(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        _ => throw ApiException.Invalid(Place(name), "must be true or false"),
    };

    public double? Number(string name, double least, double most) => Take(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } number when number.TryGetDouble(out var value) && value >= least && value <= most => value,
        _ => throw ApiException.Invalid(Place(name), $"must be a number from {least} to {most}"),
    };

    public int? Int(string name, int least, int most) => Take(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } number when number.TryGetInt32(out var value) && value >= least && value <= most => value,
        _ => throw ApiException.Invalid(
            Place(name), most == int.MaxValue ? $"must be a whole number, at least {least}" : $"must be a whole number from {least} to {most}"),
    };

    public Fields? Object(string name) => Take(name) is { } value ? new Fields(value, Place(name)) : null;

    /// <summary>A list, with the place of each of its items.</summary>
    public List<(JsonElement Value, string Place)>? List(string name) => Take(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Array } list => [.. list.EnumerateArray().Select((value, i) => (value, $"{Place(name)}[{i}]"))],
        _ => throw ApiException.Invalid(Place(name), "must be a list"),
    };

    /// <summary>Fields that say nothing which an answer depends on.</summary>
    public void Ignore(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            left.Remove(name);
        }
    }

    /// <summary>Fields that OpenAI knows and nothing here does; empty ones ask for nothing.</summary>
    /// <exception cref="ApiException">Names the first that asks for something.</exception>
    public void Refuse(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (Take(name) is { } value && !IsNothing(value))
            {
                throw ApiException.Unsupported(Place(name));
            }
        }
    }

    /// <exception cref="ApiException">A field is left that nobody knows.</exception>
    public void End()
    {
        if (left.Count > 0)
        {
            var name = left.Keys.First();
            name = name.Length <= 64 && name.All(c => c is >= ' ' and < '\x7f') ? name : "(a long name)";
            throw new ApiException(400, "unknown_parameter", $"{Place(name)} is not known", Place(name));
        }
    }

    private static bool IsNothing(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.False => true,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        _ => false,
    };

    // Half a surrogate pair is no text: no tokenizer takes it.
    private string Whole(string name, JsonElement text)
    {
        try
        {
            return text.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw ApiException.Invalid(Place(name), "is no valid Unicode");
        }
    }
}
