using System.Text.RegularExpressions;

namespace Fovea.Models;

/// <summary>
/// Which modules stay in 16 bits, by Transformers' rule: an entry is a regular expression for the beginning of a module's name, or the name's end as it is.
/// Names count in today's spelling and in that of the hub's files.
/// </summary>
internal sealed class SkippedModules
{
    public const string Key = "llm_int8_skip_modules";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private readonly (string Text, Regex Start)[] entries;
    private readonly Func<string, string> toModule;

    /// <exception cref="ConfigException">An entry is not a regular expression.</exception>
    public SkippedModules(IReadOnlyList<string> entries, NameMap names)
    {
        this.entries = [.. entries.Select(entry => (entry, Compile(entry)))];
        toModule = names.ToModule;
    }

    /// <summary>What Transformers leaves alone where nobody says otherwise: the head.</summary>
    public static IReadOnlyList<string> Usual { get; } = ["lm_head"];

    /// <param name="module">A layer's name in the ledger, without <c>.weight</c>.</param>
    public bool Contains(string module) => entries.Any(entry => Matches(entry, module));

    /// <summary>Entries that no module of a model matches.</summary>
    public IReadOnlyList<string> Idle(IReadOnlyCollection<string> modules) =>
        [.. entries.Where(entry => !modules.Any(module => Matches(entry, module))).Select(entry => entry.Text)];

    /// <summary>Entries for all of these modules and none of those.</summary>
    /// <param name="skipped">Names in the ledger.</param>
    /// <param name="rounded">Names in the ledger.</param>
    public static IReadOnlyList<string> For(IReadOnlyList<string> skipped, IReadOnlyList<string> rounded, NameMap names)
    {
        var others = rounded.Select(names.ToModule).ToList();
        var found = new List<string>();
        foreach (var module in skipped.Select(names.ToModule))
        {
            if (!found.Any(entry => Starts(module, entry)))
            {
                var parts = module.Split('.');
                var prefixes = Enumerable.Range(1, parts.Length).Select(count => string.Join('.', parts[..count]));
                found.Add(prefixes.FirstOrDefault(prefix => !others.Any(other => Starts(other, prefix))) ?? module);
            }
        }

        var rule = new SkippedModules(found, names);
        return rounded.Any(rule.Contains) ? [.. skipped.Select(module => $"{Regex.Escape(names.ToModule(module))}$")] : found;
    }

    private static bool Starts(string module, string prefix) => module == prefix || module.StartsWith($"{prefix}.", StringComparison.Ordinal);

    private static Regex Compile(string entry)
    {
        try
        {
            return new Regex($@"\A(?:{entry})", RegexOptions.CultureInvariant, Patience);
        }
        catch (RegexParseException e)
        {
            throw new ConfigException($"{Key}: '{entry}' is no name and no regular expression: {e.Message}");
        }
    }

    private bool Matches((string Text, Regex Start) entry, string module) => Fits(entry, module) || Fits(entry, toModule(module));

    private static bool Fits((string Text, Regex Start) entry, string module) =>
        module.EndsWith(entry.Text, StringComparison.Ordinal) || entry.Start.IsMatch(module);
}
