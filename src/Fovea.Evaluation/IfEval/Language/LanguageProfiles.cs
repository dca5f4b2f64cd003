using System.Globalization;
using System.IO.Compression;
using System.Text;

namespace Fovea.Evaluation.IfEval.Language;

/// <summary>
/// How often groups of one to three characters occur in each language: langdetect's profiles, as <c>pack_language_profiles.py</c> packs them.
/// </summary>
internal sealed class LanguageProfiles
{
    private static readonly Lazy<LanguageProfiles> Loaded = new(() => new LanguageProfiles());
    private readonly List<string> names = [];
    private readonly Dictionary<string, List<(int Language, double Share)>> grams = new(StringComparer.Ordinal);
    private readonly Dictionary<char, char> classes = [];

    private LanguageProfiles()
    {
        using var packed = typeof(LanguageProfiles).Assembly.GetManifestResourceStream("Fovea.Evaluation.IfEval.Language.language_profiles.gz")!;
        using var unpacked = new GZipStream(packed, CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        unpacked.CopyTo(bytes);
        var lines = Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length).Split('\n');
        foreach (var same in lines[0].Split(' '))
        {
            foreach (var c in same)
            {
                classes[c] = same[0];
            }
        }

        for (var at = 1; at < lines.Length; at += 10)
        {
            for (var length = 1; length <= 3; length++)
            {
                Add(names.Count, length, lines.AsSpan(at + 1 + ((length - 1) * 3), 3));
            }

            names.Add(lines[at]);
        }
    }

    public static LanguageProfiles Instance => Loaded.Value;

    /// <summary>ISO 639-1 codes, with <c>zh-cn</c> and <c>zh-tw</c>, in alphabetic order.</summary>
    public IReadOnlyList<string> Names => names;

    /// <summary>The languages that have the group, and its share of all groups of that length there; null where none has it.</summary>
    public IReadOnlyList<(int Language, double Share)>? Find(string gram) => grams.GetValueOrDefault(gram);

    /// <summary>The character that stands for all Chinese characters of its class.</summary>
    public char ClassOf(char chinese) => classes.GetValueOrDefault(chinese, chinese);

    private void Add(int language, int length, ReadOnlySpan<string> lines)
    {
        var total = double.Parse(lines[0], CultureInfo.InvariantCulture);
        var (at, count) = (0, 0L);
        foreach (var step in lines[2].Split(' '))
        {
            var value = long.Parse(step, CultureInfo.InvariantCulture);
            count = at == 0 ? value : count - value;
            var gram = lines[1].Substring(at, length);
            at += length;
            if (!grams.TryGetValue(gram, out var shares))
            {
                grams[gram] = shares = [];
            }

            shares.Add((language, count / total));
        }
    }
}
