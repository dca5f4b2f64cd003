using System.Text.Json;

namespace Fovea.Data.Tokenizers;

/// <summary>Reads one added token, as both files write it.</summary>
internal static class AddedTokenReader
{
    /// <summary>Null where the element is not an object with a string <c>content</c> and, unless <paramref name="id"/> gives it, an <c>id</c>.</summary>
    internal static AddedToken? Read(JsonElement element, int? id = null)
    {
        if (element.ValueKind != JsonValueKind.Object
            || !element.TryGetProperty("content", out var content) || content.ValueKind != JsonValueKind.String)
        {
            return null;
        }

        if (id is null && element.TryGetProperty("id", out var own) && JsonText.Whole(own) is >= 0 and <= TokenizerFile.LargestId and { } value)
        {
            id = (int)value;
        }

        var special = Flag("special");
        return id is null or < 0 or > TokenizerFile.LargestId
            ? null
            : new AddedToken(
                id.Value, content.GetString()!, special, Flag("single_word"), Flag("lstrip"), Flag("rstrip"), Flag("normalized", !special));

        bool Flag(string name, bool otherwise = false) =>
            element.TryGetProperty(name, out var flag) && flag.ValueKind is JsonValueKind.True or JsonValueKind.False ? flag.GetBoolean() : otherwise;
    }
}
