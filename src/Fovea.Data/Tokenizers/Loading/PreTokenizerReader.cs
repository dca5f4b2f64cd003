namespace Fovea.Data.Tokenizers;

/// <summary>Builds the chain of pre-tokenizers before a model from its JSON.</summary>
internal static class PreTokenizerReader
{
    /// <summary>The steps in order, nested sequences laid flat.</summary>
    internal static List<Component> Flatten(Component json)
    {
        if (json.IsAbsent)
        {
            return [];
        }

        return json.Type == "Sequence" ? [.. json.Children("pretokenizers").SelectMany(Flatten)] : [json];
    }

    /// <summary>Whether the last step is ByteLevel; anywhere else it is reported, because later steps would see its stand-in characters.</summary>
    internal static bool EndsInByteLevel(IReadOnlyList<Component> steps)
    {
        for (var i = 0; i + 1 < steps.Count; i++)
        {
            if (steps[i].Type == "ByteLevel")
            {
                steps[i].Report("only supported as the last pre-tokenizer");
            }
        }

        return steps.Count > 0 && steps[^1].Type == "ByteLevel";
    }

    internal static PreTokenizer Chain(IReadOnlyList<Component> steps, PreTokenizer model)
    {
        for (var i = steps.Count - 1; i >= 0; i--)
        {
            model = Step(steps[i], model);
        }

        return model;
    }

    /// <summary><c>prepend_scheme</c>, or <c>add_prefix_space</c> of older files.</summary>
    internal static MetaspacePrefix Prefix(Component json)
    {
        switch (json.Text("prepend_scheme"))
        {
            case "first":
                return MetaspacePrefix.First;
            case "never":
                return MetaspacePrefix.Never;
            case "always":
                return MetaspacePrefix.Always;
            case null:
                return json.Flag("add_prefix_space", true) ? MetaspacePrefix.Always : MetaspacePrefix.Never;
            default:
                json.Report($"prepend_scheme \"{json.Text("prepend_scheme")}\" is none of always, first, never");
                return MetaspacePrefix.Always;
        }
    }

    private static PreTokenizer Step(Component json, PreTokenizer next)
    {
        switch (json.Type)
        {
            case "ByteLevel":
                next = json.Flag("use_regex", true) ? new PatternPreTokenizer(PiecePattern.Gpt2, next) : next;
                return json.Flag("add_prefix_space", true) ? new PrefixSpacePreTokenizer(next) : next;
            case "Split":
                return Split(json, next);
            case "Metaspace":
                return new MetaspacePreTokenizer(json.Character("replacement", '\u2581'), Prefix(json), json.Flag("split", true), next);
            case "Digits":
                return new DigitsPreTokenizer(json.Flag("individual_digits"), next);
            default:
                json.Unsupported("Sequence, ByteLevel, Split, Metaspace, Digits");
                return next;
        }
    }

    private static PreTokenizer Split(Component json, PreTokenizer next)
    {
        var behavior = json.Text("behavior") ?? string.Empty;
        var invert = json.Flag("invert");
        if (json.Child("pattern").Text("Regex") is { } expression)
        {
            // The known expressions leave no text between matches, so only these two ways of splitting make sense, and both keep every match.
            return PiecePattern.Find(expression) is { } pattern && (behavior == "Isolated" || behavior == "Removed" && invert)
                ? new PatternPreTokenizer(pattern, next)
                : General(json, expression, next);
        }

        if (json.PlainPattern() is { } text)
        {
            if (Enum.TryParse<SplitBehavior>(behavior, out var known) && known != SplitBehavior.Contiguous && !invert)
            {
                return new StringPreTokenizer(text, known, next);
            }

            var supported = Enum.GetNames<SplitBehavior>().Except([nameof(SplitBehavior.Contiguous)]);
            json.Report($"behavior \"{behavior}\" with invert {invert} is not supported (supported: {string.Join(", ", supported)})");
        }

        return next;
    }

    private static PreTokenizer General(Component json, string expression, PreTokenizer next)
    {
        if (!Enum.TryParse<SplitBehavior>(json.Text("behavior"), out var behavior))
        {
            json.Report($"behavior \"{json.Text("behavior")}\" is none of {string.Join(", ", Enum.GetNames<SplitBehavior>())}");
            return next;
        }

        try
        {
            var pattern = GeneralPattern.Of(expression);
            json.Notices.Add($"tokenizer.json: {json.Place}: a general regular-expression engine splits text, which is slower than the scanners for "
                + $"the expressions of Qwen2, Llama 3 and GPT-2: {expression}");
            return new RegexPreTokenizer(pattern, behavior, json.Flag("invert"), next);
        }
        catch (FormatException e)
        {
            json.Report($"the regular expression {expression} is not supported: {e.Message}");
            return next;
        }
    }
}
