using System.CommandLine;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Fovea.Data.Tokenizers;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea tokenize MODEL_DIR [FILE]</c>: one JSON array of token ids a line, or with <c>--decode</c> the text of such lines.</summary>
internal static class TokenizeVerb
{
    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    internal enum Format
    {
        Auto,
        Json,
        Plain,
    }

    public static Command Create()
    {
        var model = new Argument<string>("MODEL_DIR") { Description = "Model folder with a tokenizer.json, or the file itself." }.IsPath();
        var file = new Argument<string?>("FILE")
        {
            Description = "Input lines; standard input if omitted or -.",
            Arity = ArgumentArity.ZeroOrOne,
        }.IsPath();
        var decode = new Option<bool>("--decode")
        {
            Description = "Read one JSON array of ids per line and print {\"text\": ...} lines (plain text with --format plain).",
        };
        var special = new Option<bool>("--add-special-tokens") { Description = "Encode with the special tokens that the tokenizer's template adds." };
        var skip = new Option<bool>("--skip-special-tokens") { Description = "Omit special tokens when decoding." };
        var format = new Option<string>("--format")
        {
            Description = "Format of text lines: json ({\"text\": ...}), plain, or auto (json if the first line begins with {\").",
            DefaultValueFactory = _ => "auto",
        };
        format.AcceptOnlyFromAmong("auto", "json", "plain");
        var verb = new Command("tokenize", """
            Convert text to token ids, one JSON array per line, or ids to text.

            Examples:
              fovea tokenize models/Qwen2.5-VL-7B-Instruct rows.jsonl
              echo 'Hello world' | fovea tokenize models/Qwen2.5-VL-7B-Instruct
              echo '[9707, 1879]' | fovea tokenize models/Qwen2.5-VL-7B-Instruct --decode
            """)
        {
            model, file, decode, special, skip, format,
        };
        verb.SetAction(parsed =>
        {
            var tokenizer = Tokenizer.Load(parsed.GetRequiredValue(model));
            var path = parsed.GetValue(file);
            var chosen = Enum.Parse<Format>(parsed.GetValue(format)!, ignoreCase: true);
            using var input = Open(path);
            using var output = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false), 1 << 16);
            var name = path is null or "-" ? "standard input" : path;
            if (parsed.GetValue(decode))
            {
                Decode(tokenizer, input, output, name, parsed.GetValue(skip), chosen);
            }
            else
            {
                Encode(tokenizer, input, output, name, parsed.GetValue(special), chosen);
            }

            return 0;
        });
        return verb;
    }

    private static StreamReader Open(string? path) =>
        path is null or "-" ? TextFile.Open(Console.OpenStandardInput(), "standard input") : TextFile.Open(path);

    internal static void Encode(Tokenizer tokenizer, TextReader input, TextWriter output, string name, bool addSpecialTokens, Format format)
    {
        var number = 0;
        foreach (var line in Lines(input))
        {
            number++;
            if (format == Format.Auto && line.Length > 0)
            {
                // A line that begins like an object is taken at its word, so that a misspelt key is an error and not odd ids.
                format = line.AsSpan().TrimStart().StartsWith("{\"") ? Format.Json : Format.Plain;
            }

            if (format == Format.Json && string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            var reason = string.Empty;
            var text = format == Format.Json ? TextOf(line, out reason) : line;
            if (text is null)
            {
                output.Flush();
                throw new ConfigException($"{name}, line {number}: {reason}; expected {{\"text\": \"...\"}}, or use --format plain for lines of bare text");
            }

            output.Write('[');
            output.Write(string.Join(", ", tokenizer.Encode(text, addSpecialTokens)));
            output.Write("]\n");
        }
    }

    internal static void Decode(Tokenizer tokenizer, TextReader input, TextWriter output, string name, bool skipSpecialTokens, Format format)
    {
        var number = 0;
        foreach (var line in Lines(input))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            int[] ids;
            try
            {
                ids = Ids(line);
            }
            catch (JsonException)
            {
                output.Flush();
                throw new ConfigException($"{name}, line {number}: no JSON array of whole numbers; expected for example [9707, 1879]");
            }

            foreach (var id in ids)
            {
                if (tokenizer.TokenOf(id) is null)
                {
                    output.Flush();
                    throw new ConfigException($"{name}, line {number}: the id {id} is not in this tokenizer, which has {tokenizer.VocabularySize} tokens");
                }
            }

            var text = tokenizer.Decode(ids, skipSpecialTokens);
            output.Write(format == Format.Plain ? text : JsonSerializer.Serialize(new { text }, Json));
            output.Write('\n');
        }
    }

    private static int[] Ids(string line)
    {
        using var row = JsonText.Parse(Encoding.UTF8.GetBytes(line));
        return row.RootElement.ValueKind == JsonValueKind.Array
            ? [.. row.RootElement.EnumerateArray().Select(Id)]
            : throw new JsonException("no array");

        static int Id(JsonElement id) => JsonText.Whole(id) is >= 0 and <= int.MaxValue and { } number ? (int)number : throw new JsonException("no id");
    }

    private static string? TextOf(string line, out string reason)
    {
        try
        {
            using var row = JsonText.Parse(Encoding.UTF8.GetBytes(line));
            if (row.RootElement.ValueKind != JsonValueKind.Object)
            {
                reason = $"a JSON {row.RootElement.ValueKind.ToString().ToLowerInvariant()} instead of an object";
            }
            else if (!row.RootElement.TryGetProperty("text", out var text))
            {
                reason = "the object has no \"text\"";
            }
            else if (text.ValueKind != JsonValueKind.String)
            {
                reason = $"\"text\" is a {text.ValueKind.ToString().ToLowerInvariant()}, not a string";
            }
            else
            {
                reason = string.Empty;
                return text.GetString();
            }
        }
        catch (JsonException e)
        {
            reason = e.Message.Replace("line 1, ", string.Empty, StringComparison.Ordinal); // the caller names the line
        }

        return null;
    }

    /// <summary>Lines end at \n, with a \r before it taken off; a lone \r is text (TextReader.ReadLine would end a line there).</summary>
    private static IEnumerable<string> Lines(TextReader input)
    {
        var line = new StringBuilder();
        var buffer = new char[1 << 14];
        for (var count = input.Read(buffer, 0, buffer.Length); count > 0; count = input.Read(buffer, 0, buffer.Length))
        {
            var from = 0;
            for (var end = Array.IndexOf(buffer, '\n', 0, count); end >= 0; end = Array.IndexOf(buffer, '\n', from, count - from))
            {
                line.Append(buffer, from, end - from);
                yield return Take(line);
                from = end + 1;
            }

            line.Append(buffer, from, count - from);
        }

        if (line.Length > 0)
        {
            yield return Take(line);
        }
    }

    private static string Take(StringBuilder line)
    {
        if (line.Length > 0 && line[^1] == '\r')
        {
            line.Length--;
        }

        var text = line.ToString();
        line.Clear();
        return text;
    }
}
