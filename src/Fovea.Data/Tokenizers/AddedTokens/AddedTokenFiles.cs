using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fovea.Data.Tokenizers;

/// <summary>The files of a tokenizer that list its added tokens: read alone, and written with more of them. All else in them stays as it is.</summary>
internal static class AddedTokenFiles
{
    private const string Main = "tokenizer.json";
    private const string Settings = "tokenizer_config.json";
    private const string Old = "added_tokens.json";
    private const string List = "added_tokens";
    private const string Decoder = "added_tokens_decoder";

    private static readonly JsonSerializerOptions Readable = new()
    {
        WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private static ReadOnlySpan<byte> ByteOrderMark => "\uFEFF"u8;

    /// <summary>The added tokens of a folder's tokenizer.json; none where there is no such file.</summary>
    /// <exception cref="ConfigException">The file is malformed.</exception>
    public static IReadOnlyList<AddedToken> Read(string folder)
    {
        var path = Path.Combine(folder, Main);
        if (!File.Exists(path))
        {
            return [];
        }

        var bytes = TextFile.ReadBytes(path);
        try
        {
            return Find(bytes.Span).Tokens;
        }
        catch (JsonException e)
        {
            throw new ConfigException($"{path}: not a valid tokenizer.json: {JsonText.Explain(bytes.Span, e)}");
        }
    }

    /// <summary>A file's bytes with more tokens in it; the same for files that list none.</summary>
    /// <param name="name">The file's, without a folder.</param>
    public static byte[] With(string name, byte[] bytes, IReadOnlyList<AddedToken> tokens) => name switch
    {
        _ when tokens.Count == 0 => bytes,
        Main => Spliced(bytes, tokens),
        Settings => Changed(name, bytes, root =>
        {
            if (root[Decoder] is JsonObject decoder)
            {
                foreach (var token in tokens)
                {
                    decoder[$"{token.Id}"] = Node(token, withId: false);
                }
            }
        }),
        Old => Changed(name, bytes, root =>
        {
            foreach (var token in tokens)
            {
                root[token.Content] = token.Id;
            }
        }),
        _ => bytes,
    };

    private static byte[] Changed(string name, byte[] bytes, Action<JsonObject> change)
    {
        using var document = JsonFile.Parse(bytes.AsMemory(bytes.AsSpan().StartsWith(ByteOrderMark) ? ByteOrderMark.Length : 0), name);
        var root = JsonObject.Create(document.RootElement.Clone()) ?? throw new ConfigException($"{name}: one JSON object is expected");
        change(root);
        return Encoding.UTF8.GetBytes(root.ToJsonString(Readable) + "\n");
    }

    /// <summary>New entries behind the last one of the list, which may be megabytes away from either end.</summary>
    private static byte[] Spliced(byte[] bytes, IReadOnlyList<AddedToken> tokens)
    {
        var (known, at, isEmpty) = Find(bytes);
        var ids = known.Select(token => token.Id).ToHashSet();
        var entries = tokens.Where(token => !ids.Contains(token.Id)).Select(token => Node(token, withId: true).ToJsonString(Readable)).ToList();
        if (entries.Count == 0)
        {
            return bytes;
        }

        var text = Encoding.UTF8.GetBytes((isEmpty ? string.Empty : ",\n") + string.Join(",\n", entries));
        return [.. bytes.AsSpan(0, at), .. text, .. bytes.AsSpan(at)];
    }

    private static JsonObject Node(AddedToken token, bool withId)
    {
        var node = new JsonObject();
        if (withId)
        {
            node["id"] = token.Id;
        }

        node["content"] = token.Content;
        node["single_word"] = token.SingleWord;
        node["lstrip"] = token.StripLeft;
        node["rstrip"] = token.StripRight;
        node["normalized"] = token.Normalized;
        node["special"] = token.Special;
        return node;
    }

    /// <summary>The tokens of the list, and where the next one would begin: behind the last, or the bracket.</summary>
    private static (List<AddedToken> Tokens, int At, bool IsEmpty) Find(ReadOnlySpan<byte> json)
    {
        var bom = json.StartsWith(ByteOrderMark) ? ByteOrderMark.Length : 0;
        var reader = new Utf8JsonReader(json[bom..]);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isList = reader.ValueTextEquals(List);
            reader.Read();
            if (!isList || reader.TokenType != JsonTokenType.StartArray)
            {
                reader.Skip();
                continue;
            }

            var tokens = new List<AddedToken>();
            var at = (int)reader.BytesConsumed;
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                var element = JsonElement.ParseValue(ref reader);
                at = (int)reader.BytesConsumed;
                tokens.Add(AddedTokenReader.Read(element) ?? throw new JsonException($"{List} holds {JsonText.Show(element)}, which is no token"));
            }

            return (tokens, at + bom, tokens.Count == 0);
        }

        throw new JsonException($"{List} is missing");
    }
}
