using Fovea.Data.Tokenizers;

namespace Fovea.Tests.Unit.Tokenizers;

public sealed class NormalizationTests
{
    /// <summary>Hashes by Python's unicodedata 14: FNV-1a over the UTF-16 units of normalize(form, "e" + chr(cp) + "\u0323").</summary>
    [Theory]
    [InlineData(true, 0xc068125e138921af)]
    [InlineData(false, 0x41af53a0febad348)]
    public void Every_code_point_of_the_first_three_planes_between_two_that_combine_normalises_as_in_Unicode_14(bool compose, ulong expected)
    {
        var hash = 0xcbf29ce484222325;
        for (var code = 0; code < 0x30000; code++)
        {
            if (code is >= 0xD800 and < 0xE000)
            {
                continue;
            }

            var text = "e" + char.ConvertFromUtf32(code) + "\u0323";
            foreach (var unit in compose ? Normalization.ToFormC(text) : Normalization.ToFormD(text))
            {
                hash = (hash ^ unit) * 0x100000001b3;
            }
        }

        Assert.Equal(expected, hash);
    }

    [Fact]
    public void Random_texts_normalise_as_the_golden_says()
    {
        foreach (var row in SplitGolden.Rows())
        {
            Assert.Equal(row.GetProperty("nfc").GetString(), Normalization.ToFormC(row.GetProperty("text").GetString()).ToString());
            Assert.Equal(row.GetProperty("nfd").GetString(), Normalization.ToFormD(row.GetProperty("text").GetString()).ToString());
        }
    }

    [Fact]
    public void Text_that_is_normal_already_is_not_copied()
    {
        var text = "plain, é, 中文 and 😀".AsSpan();
        Assert.True(Normalization.ToFormC(text) == text);
    }

    [Fact]
    public void A_very_long_run_of_marks_is_ordered_in_reasonable_time()
    {
        var marks = string.Concat(Enumerable.Repeat("\u0301\u0323", 50_000));
        var normal = Normalization.ToFormC("a" + marks).ToString();
        Assert.Equal("\u1EA1" + new string('\u0323', 49_999) + new string('\u0301', 50_000), normal);
    }
}
