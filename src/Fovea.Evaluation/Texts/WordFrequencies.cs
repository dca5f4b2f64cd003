using System.Globalization;

namespace Fovea.Evaluation.Texts;

/// <summary>The dictionary of jieba 0.42.1 (349,046 words with their frequencies) as a tree of characters. Loaded once, when a text first needs it.</summary>
internal sealed class WordFrequencies
{
    private const int ExpectedNodes = 500_000;
    private static readonly Lazy<WordFrequencies> Loaded = new(() => new WordFrequencies());

    // (node, character) to node; node 0 is the root. A node without a frequency is the beginning of a longer word.
    private readonly Dictionary<ulong, int> children = new(ExpectedNodes);
    private readonly List<int> frequencies = new(ExpectedNodes) { 0 };

    private WordFrequencies()
    {
        long total = 0;
        using var reader = TextFile.Open(Resource("dict.txt"), "jieba's dictionary");
        while (reader.ReadLine() is { } line)
        {
            var word = line.AsSpan(0, line.IndexOf(' '));
            var rest = line.AsSpan(word.Length + 1);
            var frequency = int.Parse(rest[..rest.IndexOf(' ')], NumberStyles.None, CultureInfo.InvariantCulture);
            total += frequency;
            frequencies[Grow(word)] = frequency;
        }

        LogTotal = Math.Log(total);
    }

    public static WordFrequencies Shared => Loaded.Value;

    /// <summary>The logarithm of the sum of all frequencies.</summary>
    public double LogTotal { get; }

    /// <summary>The node after one more character; -1 where no word goes on so. 0 is before the first.</summary>
    public int Next(int node, char c) => children.GetValueOrDefault(Key(node, c), -1);

    /// <summary>How often the word that ends at a node was counted; 0 if none ends there.</summary>
    public int this[int node] => frequencies[node];

    /// <summary>How often a word was counted; 0 for one that is unknown.</summary>
    public int Of(ReadOnlySpan<char> word)
    {
        var node = 0;
        foreach (var c in word)
        {
            node = Next(node, c);
            if (node < 0)
            {
                return 0;
            }
        }

        return this[node];
    }

    /// <summary>A file of jieba's, embedded in this assembly from the package that the project file names.</summary>
    internal static Stream Resource(string name) => typeof(WordFrequencies).Assembly.GetManifestResourceStream($"jieba.{name}")
        ?? throw new InvalidOperationException($"jieba.{name} is not embedded in this assembly");

    private int Grow(ReadOnlySpan<char> word)
    {
        var node = 0;
        foreach (var c in word)
        {
            var next = Next(node, c);
            if (next < 0)
            {
                next = frequencies.Count;
                frequencies.Add(0);
                children.Add(Key(node, c), next);
            }

            node = next;
        }

        return node;
    }

    private static ulong Key(int node, char c) => ((ulong)(uint)node << 16) | c;
}
