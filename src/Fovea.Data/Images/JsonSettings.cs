using System.Text.Json;

namespace Fovea.Data.Images;

/// <summary>Reads optional values out of a JSON object and collects everything that is wrong.</summary>
internal sealed class JsonSettings(JsonElement root, string path)
{
    private readonly List<string> problems = [];

    /// <summary>A positive integer, or null where it is absent.</summary>
    public long? Integer(params ReadOnlySpan<string> keys)
    {
        if (Find(keys) is not { } value)
        {
            return null;
        }

        if (JsonText.Whole(value) is > 0 and <= int.MaxValue and { } number)
        {
            return number;
        }

        Require(false, string.Join('.', keys), $"must be a positive integer, found {JsonText.Show(value)}");
        return null;
    }

    public double? Number(string key)
    {
        if (Find([key]) is not { } value)
        {
            return null;
        }

        var number = JsonText.Real(value);
        Require(number is not null, key, $"must be a number, found {JsonText.Show(value)}");
        return number;
    }

    public IReadOnlyList<double>? ThreeNumbers(string key)
    {
        if (Find([key]) is not { } value)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 3 && value.EnumerateArray().All(item => JsonText.Real(item) is not null))
        {
            return value.EnumerateArray().Select(item => item.GetDouble()).ToArray();
        }

        Require(false, key, $"must be three numbers, found {JsonText.Show(value)}");
        return null;
    }

    public void MustBeTrue(string key) => Require(Find([key]) is null or { ValueKind: JsonValueKind.True }, key, "must be true or absent");

    public void Require(bool condition, string key, string rule)
    {
        if (!condition)
        {
            problems.Add($"{path}: {key} {rule}");
        }
    }

    /// <exception cref="ConfigException">Anything was wrong.</exception>
    public void ThrowIfBad()
    {
        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }
    }

    /// <summary>Absent keys and JSON's null are the same.</summary>
    private JsonElement? Find(ReadOnlySpan<string> keys)
    {
        var at = root;
        foreach (var key in keys)
        {
            if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(key, out at) || at.ValueKind == JsonValueKind.Null)
            {
                return null;
            }
        }

        return at;
    }
}
