using System.Text.Json;

namespace Fovea.Data.Tokenizers;

/// <summary>Reads the two large parts of a BPE model straight from the UTF-8 of the file: some 150,000 entries each.</summary>
internal static class VocabularyReader
{
    private const int MostProblems = 5;

    /// <summary>Token to id; the reader stands on the object's start and is left on its end.</summary>
    internal static Dictionary<string, int> Vocabulary(ref Utf8JsonReader reader, List<string> problems)
    {
        var vocabulary = new Dictionary<string, int>(1 << 16, StringComparer.Ordinal);
        var owners = new HashSet<int>();
        var room = problems.Count + MostProblems;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var token = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out var id) || id is < 0 or > TokenizerFile.LargestId)
            {
                Add(problems, room, $"model.vocab[\"{token}\"]: an id of 0..{TokenizerFile.LargestId} is expected");
                reader.Skip();
            }
            else if (!vocabulary.TryAdd(token, id))
            {
                Add(problems, room, $"model.vocab: the token \"{token}\" stands twice");
            }
            else if (!owners.Add(id))
            {
                Add(problems, room, $"model.vocab: the id {id} of \"{token}\" belongs to another token too");
            }
        }

        return vocabulary;
    }

    /// <summary>Merges as <c>"a b"</c> or <c>["a", "b"]</c>; the rank is the place in the list. The reader stands on the array's start.</summary>
    internal static MergeTable Merges(ref Utf8JsonReader reader, Dictionary<string, int> vocabulary, List<string> problems)
    {
        var table = new MergeTable(vocabulary.Count);
        var ids = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        var buffer = new char[256];
        var room = problems.Count + MostProblems;
        for (var rank = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; rank++)
        {
            int left;
            var length = reader.TokenType == JsonTokenType.StartArray
                ? PairLength(ref reader, ref buffer, out left)
                : StringLength(ref reader, ref buffer, out left);
            if (length <= left)
            {
                Add(problems, room, $"model.merges[{rank}]: \"a b\" or [\"a\", \"b\"] is expected");
                continue;
            }

            var text = buffer.AsSpan(0, length);
            if (!ids.TryGetValue(text[..left], out var a) || !ids.TryGetValue(text[left..], out var b) || !ids.TryGetValue(text, out var merged))
            {
                Add(problems, room, $"model.merges[{rank}]: \"{text[..left]}\", \"{text[left..]}\" or both joined are not in model.vocab");
                continue;
            }

            table.Set(a, b, rank, merged);
        }

        return table;
    }

    /// <summary>Lays both parts end to end; 0 where the string has not exactly one space inside.</summary>
    private static int StringLength(ref Utf8JsonReader reader, ref char[] buffer, out int left)
    {
        left = 0;
        if (reader.TokenType != JsonTokenType.String)
        {
            reader.Skip();
            return 0;
        }

        Reserve(ref buffer, reader.ValueSpan.Length);
        var length = reader.CopyString(buffer);
        var space = buffer.AsSpan(0, length).IndexOf(' ');
        if (space <= 0 || buffer.AsSpan(space + 1, length - space - 1).Contains(' '))
        {
            return 0;
        }

        buffer.AsSpan(space + 1, length - space - 1).CopyTo(buffer.AsSpan(space));
        left = space;
        return length - 1;
    }

    private static int PairLength(ref Utf8JsonReader reader, ref char[] buffer, out int left)
    {
        var length = 0;
        var parts = 0;
        left = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.String)
            {
                reader.Skip();
                parts = int.MinValue;
                continue;
            }

            Reserve(ref buffer, length + reader.ValueSpan.Length);
            left = length;
            length += reader.CopyString(buffer.AsSpan(length));
            parts++;
        }

        return parts == 2 && left > 0 ? length : 0;
    }

    private static void Reserve(ref char[] buffer, int length)
    {
        if (buffer.Length < length)
        {
            Array.Resize(ref buffer, length * 2);
        }
    }

    private static void Add(List<string> problems, int room, string problem)
    {
        if (problems.Count < room)
        {
            problems.Add(problem);
        }
    }
}
