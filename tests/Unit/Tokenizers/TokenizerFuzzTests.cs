using System.Text;
using Fovea.Data.Tokenizers;

namespace Fovea.Tests.Unit.Tokenizers;

public sealed class TokenizerFuzzTests
{
    private static readonly Tokenizer Tokenizer = Tokenizer.Load(TestFiles.Golden("minimind_c/tokenizer"));

    [Fact]
    public void Any_text_comes_back_from_its_ids_with_lone_surrogates_replaced()
    {
        var random = new Random(11);
        for (var round = 0; round < 3000; round++)
        {
            var text = RandomText(random, 40);
            var seen = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
            var ids = Tokenizer.Encode(text);
            Assert.Equal(seen, Tokenizer.Decode(ids));
            Assert.Equal(ids, Tokenizer.Encode(seen));
        }
    }

    [Fact]
    public void Any_ids_give_the_same_text_at_once_and_as_a_stream()
    {
        var random = new Random(12);
        for (var round = 0; round < 2000; round++)
        {
            var ids = Enumerable.Range(0, random.Next(1, 30)).Select(_ => random.Next(Tokenizer.VocabularySize + 5)).ToArray();
            var decoder = Tokenizer.NewStreamingDecoder(skipSpecialTokens: true);
            Assert.Equal(Tokenizer.Decode(ids, skipSpecialTokens: true), string.Concat(ids.Select(decoder.Push)) + decoder.Flush());
        }
    }

    [Fact]
    public void A_stream_never_gives_out_part_of_a_character()
    {
        var random = new Random(13);
        for (var round = 0; round < 1000; round++)
        {
            var text = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(RandomText(random, 20))).Replace('\uFFFD', 'x');
            var decoder = Tokenizer.NewStreamingDecoder();
            var pieces = Tokenizer.Encode(text).Select(decoder.Push).ToList();
            Assert.DoesNotContain(pieces, p => p.Contains('\uFFFD') || p.Length > 0 && char.IsHighSurrogate(p[^1]));
            Assert.Equal(text, string.Concat(pieces));
            Assert.Empty(decoder.Flush());
        }
    }

    [Fact]
    public void Many_threads_get_the_ids_that_one_gets()
    {
        var random = new Random(14);
        var texts = Enumerable.Range(0, 400).Select(_ => RandomText(random, 60)).ToArray();
        var fresh = Tokenizer.Load(TestFiles.Golden("minimind_c/tokenizer"));
        var together = new int[texts.Length][];
        Parallel.For(0, texts.Length, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i => together[i] = fresh.Encode(texts[i]));
        Assert.Equal(texts.Select(t => Tokenizer.Encode(t)), together);
    }

    private static string RandomText(Random random, int longest)
    {
        var text = new StringBuilder();
        for (var n = random.Next(longest); n > 0; n--)
        {
            var code = random.Next(8) switch
            {
                0 => random.Next(0xD800, 0xE000),
                1 => random.Next(0x10000, 0x110000),
                2 => random.Next(0x10000),
                3 => " \n\r\t'"[random.Next(5)],
                _ => random.Next(0x20, 0x17F),
            };
            text.Append(code is >= 0xD800 and < 0xE000 ? ((char)code).ToString() : char.ConvertFromUtf32(code));
        }

        return text.ToString();
    }
}
