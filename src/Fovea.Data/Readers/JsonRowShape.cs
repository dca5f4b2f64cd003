using System.Text;
using System.Text.Json;

namespace Fovea.Data.Readers;

/// <summary>Recognises valid JSON that is neither an array of rows nor one row a line, and says how to bring it into form.</summary>
internal sealed class JsonRowShape
{
    // Keys by which a row is known. A turn of a conversation has one of the others instead.
    private static readonly string[] RowKeys = ["messages", "conversations", "instruction", "output", "images", "image"];
    private static readonly string[] TurnKeys = ["role", "from"];

    private readonly HashSet<string> keys = [];
    private readonly HashSet<string> itemKeys = [];
    private int values;
    private long firstEnd = long.MaxValue;
    private string key = string.Empty;
    private bool inList;
    private string? wrapper;

    private JsonRowShape()
    {
    }

    /// <summary>What is wrong with a file that begins with an object, in words that follow its name; null where its lines are rows.</summary>
    /// <param name="firstLineEnd">Where the first line that is not blank ends in the file.</param>
    internal static string? Misfit(JsonStream json, long firstLineEnd)
    {
        var shape = new JsonRowShape();
        try
        {
            json.ReadAll(shape.See, several: true);
        }
        catch (JsonException)
        {
            return null; // the lines are read one by one, and the broken one will be named
        }

        if (shape.wrapper is { } wrapper && !shape.keys.Overlaps(RowKeys))
        {
            return $"is one object with a list of rows under '{wrapper}', where the list alone is needed: take it out of the object";
        }

        return shape.firstEnd <= firstLineEnd ? null
            : shape.values > 1 ? "has rows of several lines that are no list: write one row a line, or put all into [ ] with commas between"
            : shape.keys.Overlaps(RowKeys) ? "is one row over several lines; put it into [ ], or write it on one line"
            : "is one object over several lines, where a list of rows is needed: [{...}, {...}], or one row a line";
    }

    /// <summary>Looks at the first value until it is known to hold the rows, and at the beginning of the second.</summary>
    private bool See(ref Utf8JsonReader reader, long offset)
    {
        var (type, depth) = (reader.TokenType, reader.CurrentDepth);
        if (depth == 0 && type != JsonTokenType.EndObject)
        {
            values++;
        }
        else if (depth == 0)
        {
            firstEnd = Math.Min(firstEnd, offset + reader.BytesConsumed);
        }
        else if (depth == 1 && type == JsonTokenType.PropertyName)
        {
            key = Encoding.UTF8.GetString(reader.ValueSpan);
            keys.Add(key);
        }
        else if (depth == 1)
        {
            inList = type == JsonTokenType.StartArray;
        }
        else if (depth == 3 && inList && type == JsonTokenType.PropertyName)
        {
            itemKeys.Add(Encoding.UTF8.GetString(reader.ValueSpan));
        }
        else if (depth == 2 && inList && type == JsonTokenType.EndObject)
        {
            wrapper = itemKeys.Overlaps(RowKeys) && !itemKeys.Overlaps(TurnKeys) ? key : null;
            itemKeys.Clear();
        }

        return values < 2 && wrapper is null;
    }
}
