using System.Text.RegularExpressions;

namespace Fovea.Evaluation.IfEval;

/// <summary>
/// Splits text into words as NLTK's <c>word_tokenize</c> does: sentences first, then the rules of the Penn Treebank, one substitution after another.
/// </summary>
internal static class TreebankWords
{
    private const string W = @"[\p{L}\p{N}_]";
    private const string Edge = @"(?:(?<=[\p{L}\p{N}_])(?![\p{L}\p{N}_])|(?<![\p{L}\p{N}_])(?=[\p{L}\p{N}_]))";
    private const string S = @"[\s\x1c-\x1f]";

    private static readonly (Regex Pattern, string With)[] Before =
    [
        Rule("([«“‘„]|[`]+)", " $1 "),
        Rule("^\"", "``"),
        Rule("(``)", " $1 "),
        Rule("([ (\\[{<])(\"|'{2})", "$1 `` "),
        Rule($"(?i)(')(?!re|ve|ll|m|t|s|d|n)({W}){Edge}", "$1 $2"),
        Rule($"([^.])(\\.)([\\])}}>\"'»”’ ]*){S}*$", "$1 $2 $3 "),
        Rule(@"([:,])([^\d])", " $1 $2"),
        Rule("([:,])$", " $1 "),
        Rule(@"\.{2,}", " $0 "),
        Rule("[;@#$%&]", " $0 "),
        Rule($"([^.])(\\.)([\\])}}>\"']*){S}*$", "$1 $2$3 "),
        Rule("[?!]", " $0 "),
        Rule("([^'])' ", "$1 ' "),
        Rule("[*]", " $0 "),
        Rule(@"[\]\[(){}<>]", " $0 "),
        Rule("--", " -- "),
    ];

    private static readonly (Regex Pattern, string With)[] After =
    [
        Rule("([»”’])", " $1 "),
        Rule("''", " '' "),
        Rule("\"", " '' "),
        Rule("([^' ])('[sS]|'[mM]|'[dD]|') ", "$1 $2 "),
        Rule("([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) ", "$1 $2 "),
        Rule($"(?i){Edge}(can)(not){Edge}", " $1 $2 "),
        Rule($"(?i){Edge}(d)('ye){Edge}", " $1 $2 "),
        Rule($"(?i){Edge}(gim)(me){Edge}", " $1 $2 "),
        Rule($"(?i){Edge}(gon)(na){Edge}", " $1 $2 "),
        Rule($"(?i){Edge}(got)(ta){Edge}", " $1 $2 "),
        Rule($"(?i){Edge}(lem)(me){Edge}", " $1 $2 "),
        Rule($"(?i){Edge}(more)('n){Edge}", " $1 $2 "),
        Rule($"(?i){Edge}(wan)(na)(?={S})", " $1 $2 "),
        Rule($"(?i) ('t)(is){Edge}", " $1 $2 "),
        Rule($"(?i) ('t)(was){Edge}", " $1 $2 "),
    ];

    public static IEnumerable<string> Split(string text) => Sentences.Split(text).SelectMany(Words);

    private static List<string> Words(string sentence)
    {
        var text = Before.Aggregate(sentence, (all, rule) => rule.Pattern.Replace(all, rule.With));
        return PythonText.Words(After.Aggregate($" {text} ", (all, rule) => rule.Pattern.Replace(all, rule.With)));
    }

    private static (Regex Pattern, string With) Rule(string pattern, string with) => (new Regex(pattern, RegexOptions.CultureInvariant), with);
}
