using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Fovea.Tests.Unit.Robustness;

/// <summary>Damages that users' files come with, by structure and by bytes; the same seed makes the same ones.</summary>
internal static class FileMutations
{
    // What takes the place of a value. A text that begins with @ is put in as it stands after it, which may be no JSON.
    private static readonly string[] Values =
    [
        "null", "true", "0", "-1", "2.5", "2.0", "1e3", "1e400", "-1e400", "99999999999999999999", "1e-320", "2147483648", "-9223372036854775808",
        "\"\"", "\"x\"", "\"\\u0000\"", "\"0\"", "\"~\"", "\"~nobody/x\"", "\"../..\"", "[]", "{}", "[null]", "[[]]", "[0, 0, 0]", "[2.5, \"x\", null]",
        "{\"type\": 1}", "{\"a\": {\"b\": []}}", "@NaN", "@-Infinity", "@None", "@'x'", "@\"\\ud83d\"", "@\"\\udc00x\"", "@\"\t\"", "@", "@01", "@\"\xE9\"",
        "@// x\n1", "@1,", "@[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    ];

    private const string Hole = "\"fuzz-hole\"";

    /// <summary>One value of a JSON text changed, taken out, doubled or wrapped.</summary>
    public static IEnumerable<(string What, byte[] Bytes)> OfJson(string json, int count, int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < count; i++)
        {
            var root = JsonNode.Parse(json)!;
            var places = Places(root).ToList();
            if (i >= count - 4)
            {
                // The root itself: all of it is another kind of value.
                var whole = new[] { "[]", "null", "3", "[" + json + "]" }[i - count + 4];
                yield return ($"the whole is {Short(whole)}", Encoding.UTF8.GetBytes(whole));
                continue;
            }

            var (parent, key, index) = places[random.Next(places.Count)];
            var name = key ?? index.ToString(CultureInfo.InvariantCulture);
            var old = key is null ? parent.AsArray()[index] : parent.AsObject()[key];
            switch (random.Next(12))
            {
                case 0 when key is not null:
                    parent.AsObject().Remove(key);
                    yield return ($"{name} taken out", Bytes(root));
                    break;
                case 0:
                    parent.AsArray().RemoveAt(index);
                    yield return ($"item {name} taken out", Bytes(root));
                    break;
                case 1:
                    Put(parent, key, index, new JsonArray(old?.DeepClone()));
                    yield return ($"{name} in a list", Bytes(root));
                    break;
                case 2:
                    Put(parent, key, index, new JsonObject { [name] = old?.DeepClone() });
                    yield return ($"{name} in an object", Bytes(root));
                    break;
                case 3 when key is not null:
                    parent.AsObject().Add("fuzz-hole", JsonValue.Create("fuzz-hole"));
                    yield return ($"{name} twice", Replace(root, $"{Hole}:{Hole}", $"\"{key}\":{old?.ToJsonString() ?? "null"}"));
                    break;
                default:
                    var value = Values[random.Next(Values.Length)];
                    Put(parent, key, index, JsonValue.Create("fuzz-hole"));
                    yield return ($"{name} = {Short(value)}", Replace(root, Hole, value.TrimStart('@')));
                    break;
            }
        }
    }

    /// <summary>Bytes cut off, flipped, put in, or the whole in another encoding.</summary>
    public static IEnumerable<(string What, byte[] Bytes)> OfBytes(byte[] bytes, int count, int seed)
    {
        var random = new Random(seed);
        byte[][] strangers =
        [
            [0xFF], [0xC3, 0x28], [0xED, 0xA0, 0x80], [0], [0xEF, 0xBB, 0xBF], .. "\n\"\\}\t&*:-"u8.ToArray().Select(c => new[] { c }),
        ];
        yield return ("empty", []);
        yield return ("only spaces", "  \n "u8.ToArray());
        foreach (var encoding in new Encoding[] { Encoding.Unicode, Encoding.BigEndianUnicode, Encoding.UTF32 })
        {
            var text = Encoding.UTF8.GetString(bytes);
            yield return (encoding.WebName, encoding.GetBytes(text));
            yield return ($"{encoding.WebName} with mark", [.. encoding.GetPreamble(), .. encoding.GetBytes(text)]);
        }

        yield return ("git-lfs pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"u8.ToArray());
        yield return ("web page", "<!DOCTYPE html><html></html>"u8.ToArray());
        yield return ("deep", Encoding.ASCII.GetBytes(new string('[', 100_000)));
        yield return ("deep objects", Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("{\"a\":", 100_000))));
        for (var i = 0; i < count; i++)
        {
            var at = random.Next(bytes.Length);
            switch (random.Next(3))
            {
                case 0:
                    yield return ($"cut at {at}", bytes[..at]);
                    break;
                case 1:
                    byte[] flipped = [.. bytes];
                    flipped[at] ^= (byte)(1 << random.Next(8));
                    yield return ($"byte {at} is 0x{flipped[at]:X2}", flipped);
                    break;
                default:
                    var stranger = strangers[random.Next(strangers.Length)];
                    yield return ($"{Convert.ToHexString(stranger)} at {at}", [.. bytes[..at], .. stranger, .. bytes[at..]]);
                    break;
            }
        }
    }

    private static IEnumerable<(JsonNode Parent, string? Key, int Index)> Places(JsonNode node)
    {
        switch (node)
        {
            case JsonObject map:
                foreach (var (key, value) in map)
                {
                    yield return (map, key, 0);
                    foreach (var inner in value is null ? [] : Places(value))
                    {
                        yield return inner;
                    }
                }

                break;
            case JsonArray list:
                for (var i = 0; i < list.Count; i++)
                {
                    yield return (list, null, i);
                    foreach (var inner in list[i] is { } item ? Places(item) : [])
                    {
                        yield return inner;
                    }
                }

                break;
        }
    }

    private static void Put(JsonNode parent, string? key, int index, JsonNode? value)
    {
        if (key is null)
        {
            parent.AsArray()[index] = value;
        }
        else
        {
            parent.AsObject()[key] = value;
        }
    }

    private static byte[] Bytes(JsonNode root) => Encoding.UTF8.GetBytes(root.ToJsonString());

    // As Latin-1, so that a lone byte that is not UTF-8 can be among them.
    private static byte[] Replace(JsonNode root, string hole, string value) => Encoding.Latin1.GetBytes(root.ToJsonString().Replace(hole, value));

    private static string Short(string text) => text.Length <= 24 ? text : $"{text[..24]}...";
}
