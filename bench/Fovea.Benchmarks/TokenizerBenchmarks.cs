using System.Text;
using BenchmarkDotNet.Attributes;
using Fovea.Data.Tokenizers;

namespace Fovea.Benchmarks;

/// <summary>Text to ids and back on one thread: the time for the whole text.</summary>
public class TokenizerBenchmarks
{
    private readonly Tokenizer tokenizer = Tokenizer.Load(BenchInputs.Tokenizer);
    private readonly string text = Text();
    private int[] ids = [];

    [GlobalSetup]
    public void Setup() => ids = tokenizer.Encode(text);

    [Benchmark]
    public int Encode() => tokenizer.Encode(text).Length;

    [Benchmark]
    public string Decode() => tokenizer.Decode(ids.AsSpan());

    /// <summary>Bytes of UTF-8 in the text, and its tokens.</summary>
    internal static (int Bytes, int Tokens) Size() => (Encoding.UTF8.GetByteCount(Text()), Tokenizer.Load(BenchInputs.Tokenizer).Encode(Text()).Length);

    private static string Text() => BenchInputs.TextFile is { } file ? File.ReadAllText(file) : MadeUp(1 << 20);

    private static string MadeUp(int characters)
    {
        string[] pieces =
        [
            "The quick brown fox jumps over the lazy dog, and nobody knows why it wasn't asleep. ",
            "Übermäßig große Straßenbahnen fahren früh um 7:45 Uhr nach Köln. ",
            "这张图片里有一只猫坐在窗台上，外面正在下雨。",
            "for (int i = 0; i < count; i++) { total += values[i] * 0.25; }\n",
            "Total: 1,234,567.89 EUR on 2024-02-29\n\n",
        ];
        var random = new Random(1);
        var text = new StringBuilder(characters + 128);
        while (text.Length < characters)
        {
            text.Append(pieces[random.Next(pieces.Length)]).Append(random.Next(100000));
        }

        return text.ToString();
    }
}
