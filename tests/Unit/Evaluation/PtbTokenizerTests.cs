using System.Text.Json;
using Fovea.Evaluation.Captions;

namespace Fovea.Tests.Evaluation;

/// <summary>Tokens of captions, against the original tokenizer's answers; ~ stands for a hard blank within a token.</summary>
public sealed class PtbTokenizerTests
{
    [Theory]
    [InlineData("A man's dog isn't here", "a man 's dog is n't here")]
    [InlineData("I'd've ain't", "i 'd 've ai n't")]
    [InlineData("can't won't cannot gonna wanna gimme 'tis 'twas", "ca n't wo n't can not gon na wan na gim me 't is 't was")]
    [InlineData("A \"STOP\" sign", "a `` stop '' sign")]
    [InlineData("A 'stop' sign", "a ` stop ' sign")]
    [InlineData("An Apple(tm) [old] {new}", "an apple -lrb- tm -rrb- -lsb- old -rsb- -lcb- new -rcb-")]
    [InlineData("Black/white and/or either / or", "black/white and/or either / or")]
    [InlineData("man/woman/child/dog", "man/woman/child / dog")]
    [InlineData("A U.S. flag. In U.S. army", "a u.s. flag . in u.s. army")]
    [InlineData("T.V. on", "t.v. on")]
    [InlineData("a tv.", "a tv .")]
    [InlineData("at St. Louis St. with Mr. Smith", "at st. louis st. with mr. smith")]
    [InlineData("a 6 ft. tall", "a 6 ft. tall")]
    [InlineData("the no. 5 bus", "the no. 5 bus")]
    [InlineData("photo no.1", "photo no. 1")]
    [InlineData("no.", "no .")]
    [InlineData("5:30 p.m. now", "5:30 p.m. now")]
    [InlineData("8 a.m. The clock", "8 a.m. . the clock")]
    [InlineData("10,000 and 3.5, 50% off $5.00", "10,000 and 3.5 , 50 % off $ 5.00")]
    [InlineData("#1 and #hashtag @user", "# 1 and #hashtag @user")]
    [InlineData("big!! what?! ok...", "big !! what ?! ok ...")]
    [InlineData("A cat,a dog", "a cat , a dog")]
    [InlineData("A cat.A dog", "a cat.a dog")]
    [InlineData("a man.,", "a man. ,")]
    [InlineData("1/2 of a pizza and 1 1/2", "1/2 of a pizza and 1~1/2")]
    [InlineData("½", "1/2")]
    [InlineData("(555) 555-1234", "-lrb-555-rrb-~555-1234")]
    [InlineData("foo.jpg file", "foo.jpg file")]
    [InlineData("jpg. file.txt.", "jpg . file.txt .")]
    [InlineData("O'Neil's d'orange l'eau", "o'neil 's d'orange l'eau")]
    [InlineData("rock'n'roll 'n'", "rock 'n' roll 'n'")]
    [InlineData("“curly” ‘single’ it’s", "`` curly '' ` single ' it 's")]
    [InlineData("em—dash en–dash - ---", "em -- dash en -- dash - --")]
    [InlineData("3 o'clock y'all c'mon", "3 o'clock y' all c'mon")]
    [InlineData("the 50's '90s", "the 50 's '90s")]
    [InlineData("6' tall 5\" wide", "6 ' tall 5 '' wide")]
    [InlineData("<b>bold</b> < 5 <3", "<b> bold </b> < 5 < 3")]
    [InlineData("a+b=c 2x4 A+ C++", "a + b = c 2x4 a + c++")]
    [InlineData(":) ;) :-(", ":-rrb- ;-rrb- :--lrb-")]
    [InlineData("w/ nuts w/out", "w / nuts w/out")]
    [InlineData("25° €5 £3 ¥4 5¢ 100%cotton", "25 ° $ 5 # 3 ¥ 4 5 cents 100 % cotton")]
    [InlineData("women's and womens'", "women 's and womens '")]
    [InlineData("bird's-eye", "bird 's - eye")]
    [InlineData("dash- -dash", "dash - - dash")]
    [InlineData("a😀b cat", "a b cat")]
    [InlineData("（全角）", "（ 全角 ）")]
    [InlineData("x² H₂O", "x ² h ₂ o")]
    [InlineData("etc. and", "etc. and")]
    [InlineData("y'all're 5'6\" Hawai'i '80", "y' all 're 5 ' 6 '' hawai'i '80")]
    [InlineData("co.-owner St.-John 1,000-2,000", "co.-owner st.-john 1,000-2 ,000")]
    [InlineData("a@b.com http://a.b/c?d=e. bar.org/x", "a@b.com http://a.b/c?d=e . bar.org / x")]
    [InlineData("no.  5 no. 5th", "no . 5 no. 5th")]
    [InlineData("Ol' somethin' nothin' o'er", "ol' somethin' nothin ' o'er")]
    public void Probes_are_parted_as_by_the_original(string caption, string tokens) =>
        Assert.Equal(tokens, string.Join(' ', PtbTokenizer.Lines([caption])[0]).Replace('\u00A0', '~'));

    [Fact]
    public void A_letter_with_a_stop_depends_on_the_caption_behind_it()
    {
        Assert.Equal(["plan c.", "a low"], PtbTokenizer.Tokenize(["plan C.", "a low"]));
        Assert.Equal(["plan c", "the next"], PtbTokenizer.Tokenize(["plan C.", "The next"]));
    }

    [Fact]
    public void The_golden_s_captions_are_parted_as_by_the_original()
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(TestFiles.Golden("evaluation/captions.json")));
        var images = golden.RootElement.GetProperty("images").EnumerateArray().ToList();
        Assert.Equal(
            images.SelectMany(image => Texts(image, "tokenised_references")),
            PtbTokenizer.Tokenize([.. images.SelectMany(image => Texts(image, "references"))]));
        Assert.Equal(
            images.Select(image => image.GetProperty("tokenised_candidate").GetString()),
            PtbTokenizer.Tokenize([.. images.Select(image => image.GetProperty("candidate").GetString()!)]));
    }

    // The original ends a line at each of these and gives all captions behind it to other images.
    [Theory]
    [InlineData("a dog\nruns")]
    [InlineData("a dog\r\nruns")]
    [InlineData("a dog\u2028runs")]
    [InlineData("a dog\u0085runs")]
    public void A_line_s_end_within_a_caption_is_a_blank(string caption) => Assert.Equal(["a dog runs", "a cat"], PtbTokenizer.Tokenize([caption, "A cat."]));

    [Fact]
    public void An_empty_caption_stays() => Assert.Equal(["", "a", ""], PtbTokenizer.Tokenize(["", "A.,", "..."]).Select(text => text.TrimEnd('.')));

    private static IEnumerable<string> Texts(JsonElement image, string key) => image.GetProperty(key).EnumerateArray().Select(text => text.GetString()!);
}
