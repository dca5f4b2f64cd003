using System.Text.RegularExpressions;
using Fovea.Evaluation.IfEval.Language;

namespace Fovea.Evaluation.IfEval;

/// <summary>The 25 instructions of IFEval: how each is told to be followed (Zhou et al. 2023, google-research/instruction_following_eval).</summary>
internal static partial class InstructionRules
{
    private const string Space = @"[\s\x1c-\x1f]";

    private static readonly string[] Options = ["My answer is yes.", "My answer is no.", "My answer is maybe."];

    private static readonly Dictionary<string, Func<InstructionArguments, Predicate<string>>> ById = new(StringComparer.Ordinal)
    {
        ["keywords:existence"] = Existence,
        ["keywords:frequency"] = Frequency,
        ["keywords:forbidden_words"] = Forbidden,
        ["keywords:letter_frequency"] = LetterFrequency,
        ["language:response_language"] = InLanguage,
        ["length_constraints:number_sentences"] = a => Counted(a, "relation", "num_sentences", text => Sentences.Split(text).Count),
        ["length_constraints:number_paragraphs"] = Paragraphs,
        ["length_constraints:number_words"] = a => Counted(a, "relation", "num_words", Words),
        ["length_constraints:nth_paragraph_first_word"] = FirstWord,
        ["detectable_content:number_placeholders"] = a => AtLeast(a, "num_placeholders", text => Placeholder().Count(text)),
        ["detectable_content:postscript"] = Postscript,
        ["detectable_format:number_bullet_lists"] = Bullets,
        ["detectable_format:constrained_response"] = _ => text => Options.Any(option => PythonText.Trim(text).Contains(option, StringComparison.Ordinal)),
        ["detectable_format:number_highlighted_sections"] = a => AtLeast(a, "num_highlights", Highlights),
        ["detectable_format:multiple_sections"] = Sections,
        ["detectable_format:json_format"] = _ => IsJson,
        ["detectable_format:title"] = _ => text => Title().Matches(text).Any(title => PythonText.Trim(title.Value.TrimStart('<').TrimEnd('>')).Length > 0),
        ["combination:two_responses"] = _ => AreTwo,
        ["combination:repeat_prompt"] = a => StartsWith(Lower(a.Text("prompt_to_repeat"))),
        ["startend:end_checker"] = a => EndsWith(Lower(a.Text("end_phrase"))),
        ["startend:quotation"] = _ => text => PythonText.Trim(text) is ['"', .., '"'],
        ["change_case:capital_word_frequency"] =
            a => Counted(a, "capital_relation", "capital_frequency", text => TreebankWords.Split(text).Count(PythonCase.IsUpper)),
        ["change_case:english_capital"] = _ => text => PythonCase.IsUpper(text) && IsIn(text, "en"),
        ["change_case:english_lowercase"] = _ => text => PythonCase.IsLower(text) && IsIn(text, "en"),
        ["punctuation:no_comma"] = _ => text => !text.Contains(','),
    };

    /// <summary>The ids, in the order of this class.</summary>
    public static IReadOnlyCollection<string> Ids => ById.Keys;

    /// <summary>Tells of a response, which is not blank, whether the instruction is followed; null where the id is not known.</summary>
    /// <exception cref="ConfigException">An argument is missing or malformed.</exception>
    public static Predicate<string>? Find(string id, InstructionArguments arguments) => ById.TryGetValue(id, out var rule) ? rule(arguments) : null;

    private static string Lower(string text) => PythonText.Trim(text).ToLowerInvariant();

    private static Predicate<string> Counted(InstructionArguments arguments, string relation, string bound, Func<string, int> count)
    {
        var isMet = arguments.Relation(relation, arguments.Count(bound));
        return text => isMet(count(text));
    }

    private static Predicate<string> AtLeast(InstructionArguments arguments, string bound, Func<string, int> count)
    {
        var least = arguments.Count(bound);
        return text => count(text) >= least;
    }

    private static Predicate<string> Existence(InstructionArguments arguments)
    {
        var keywords = arguments.Texts("keywords").Select(keyword => PythonPattern.Of(keyword, RegexOptions.IgnoreCase)).ToList();
        return text => keywords.TrueForAll(keyword => keyword.IsIn(text) == true);
    }

    private static Predicate<string> Forbidden(InstructionArguments arguments)
    {
        var words = arguments.Texts("forbidden_words").Select(word => PythonPattern.Of($@"\b{word}\b", RegexOptions.IgnoreCase)).ToList();
        return text => words.TrueForAll(word => word.IsIn(text) == false);
    }

    private static Predicate<string> Frequency(InstructionArguments arguments)
    {
        var keyword = PythonPattern.Of(PythonText.Trim(arguments.Text("keyword")), RegexOptions.IgnoreCase);
        var isMet = arguments.Relation("relation", arguments.Count("frequency"));
        return text => keyword.Count(text) is { } count && isMet(count);
    }

    private static Predicate<string> LetterFrequency(InstructionArguments arguments)
    {
        var letter = Lower(arguments.Text("letter"));
        var isMet = arguments.Relation("let_relation", arguments.Count("let_frequency"));
        return PythonCase.Length(letter) == 1
            ? text => isMet(Regex.Count(text.ToLowerInvariant(), Regex.Escape(letter)))
            : throw new ConfigException($"keywords:letter_frequency needs letter, one character, not \"{letter}\"");
    }

    private static Predicate<string> InLanguage(InstructionArguments arguments)
    {
        var language = arguments.Text("language");
        return text => IsIn(text, language);
    }

    // What has no letters to go by counts as followed.
    private static bool IsIn(string text, string language) => LanguageDetector.Detect(text) is not { } found || found == language;

    /// <summary>Words are runs of letters, numerals and underscores.</summary>
    private static int Words(string text)
    {
        var (count, isInside) = (0, false);
        foreach (var rune in text.EnumerateRunes())
        {
            var isWord = System.Text.Rune.IsLetter(rune) || System.Text.Rune.IsNumber(rune) || rune.Value == '_';
            count += isWord && !isInside ? 1 : 0;
            isInside = isWord;
        }

        return count;
    }

    private static Predicate<string> Paragraphs(InstructionArguments arguments)
    {
        var expected = arguments.Count("num_paragraphs");
        return text =>
        {
            var parts = Divider().Split(text).Select(part => PythonText.Trim(part).Length == 0).ToList();
            var outer = (parts[0] ? 1 : 0) + (parts.Count > 1 && parts[^1] ? 1 : 0);
            return parts.Skip(1).SkipLast(1).All(isEmpty => !isEmpty) && parts.Count - outer == expected;
        };
    }

    private static Predicate<string> FirstWord(InstructionArguments arguments)
    {
        var expected = arguments.Count("num_paragraphs");
        var number = arguments.Count("nth_paragraph", least: 1);
        var first = arguments.Text("first_word").ToLowerInvariant();
        return text =>
        {
            var paragraphs = text.Split("\n\n").Select(PythonText.Trim).ToList();
            var count = paragraphs.Count(paragraph => paragraph.Length > 0);
            if (number > count || paragraphs[number - 1].Length == 0)
            {
                return false;
            }

            var word = PythonText.Words(paragraphs[number - 1])[0].TrimStart('\'').TrimStart('"');
            var end = word.IndexOfAny(['.', ',', '?', '!', '\'', '"']);
            return count == expected && string.Equals((end < 0 ? word : word[..end]).ToLowerInvariant(), first, StringComparison.Ordinal);
        };
    }

    private static Predicate<string> Postscript(InstructionArguments arguments)
    {
        var marker = PythonText.Trim(arguments.Text("postscript_marker"));
        var pattern = PythonPattern.Of(
            marker switch
            {
                "P.P.S" => @"\s*p\.\s?p\.\s?s.*$",
                "P.S." => @"\s*p\.\s?s\..*$",
                _ => $@"\s*{marker.ToLowerInvariant()}.*$",
            },
            RegexOptions.Multiline);
        return text => pattern.IsIn(text.ToLowerInvariant()) == true;
    }

    private static Predicate<string> Bullets(InstructionArguments arguments)
    {
        var expected = arguments.Count("num_bullets");
        return text => Star().Count(text) + Dash().Count(text) == expected;
    }

    private static int Highlights(string text) =>
        Emphasis().Matches(text).Count(match => PythonText.Trim(match.Value.Trim('*')).Length > 0)
        + StrongEmphasis().Matches(text).Count(match => PythonText.Trim(match.Value[2..^2]).Length > 0);

    private static Predicate<string> Sections(InstructionArguments arguments)
    {
        var heading = PythonPattern.Of($@"\s?{PythonText.Trim(arguments.Text("section_spliter"))}\s?\d+\s?");
        var least = arguments.Count("num_sections");

        // Python's split returns what groups of the pattern capture as parts too.
        return text => heading.Count(text) is { } count && count * (1 + heading.Captures) >= least;
    }

    private static bool IsJson(string text)
    {
        text = PythonText.Trim(text);
        foreach (var fence in (string[])["```json", "```Json", "```JSON", "```"])
        {
            text = text.StartsWith(fence, StringComparison.Ordinal) ? text[fence.Length..] : text;
        }

        return JsonSyntax.IsValid(PythonText.Trim(text.EndsWith("```", StringComparison.Ordinal) ? text[..^3] : text));
    }

    private static bool AreTwo(string text)
    {
        var parts = text.Split("******").Select(PythonText.Trim).ToList();
        var responses = parts.Where(part => part.Length > 0).ToList();
        return parts.Skip(1).SkipLast(1).All(part => part.Length > 0) && responses.Count == 2 && responses[0] != responses[1];
    }

    private static Predicate<string> StartsWith(string start) => text => Lower(text).StartsWith(start, StringComparison.Ordinal);

    private static Predicate<string> EndsWith(string end) => text => PythonText.Trim(text).Trim('"').ToLowerInvariant().EndsWith(end, StringComparison.Ordinal);

    [GeneratedRegex(@"\[.*?\]", RegexOptions.CultureInvariant)]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"<<[^\n]+>>", RegexOptions.CultureInvariant)]
    private static partial Regex Title();

    [GeneratedRegex($@"{Space}?\*\*\*{Space}?", RegexOptions.CultureInvariant)]
    private static partial Regex Divider();

    [GeneratedRegex($@"^{Space}*\*[^*].*$", RegexOptions.CultureInvariant | RegexOptions.Multiline)]
    private static partial Regex Star();

    [GeneratedRegex($@"^{Space}*-.*$", RegexOptions.CultureInvariant | RegexOptions.Multiline)]
    private static partial Regex Dash();

    [GeneratedRegex(@"\*[^\n*]*\*", RegexOptions.CultureInvariant)]
    private static partial Regex Emphasis();

    [GeneratedRegex(@"\*\*[^\n*]*\*\*", RegexOptions.CultureInvariant)]
    private static partial Regex StrongEmphasis();
}
