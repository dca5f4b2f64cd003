using Fovea.Models;

namespace Fovea.Training.Config;

/// <summary>The options that model families declare, each family's in a record of its own; a model takes its family's.</summary>
internal sealed class FamilySettings
{
    // Copies: the loader sets their properties.
    private readonly IReadOnlyList<FamilyOptions> all =
        [.. Families.All.Select(family => family.Options).DistinctBy(options => options.GetType()).Select(options => options with { })];
    private readonly HashSet<string> written = new(StringComparer.Ordinal);

    /// <summary>What the configuration says of one family.</summary>
    public FamilyOptions Of(ModelFamily family) => With(family.Options.GetType());

    /// <summary>What a user should know about the values given, in sentences.</summary>
    internal IEnumerable<string> Notices => all.SelectMany(options => options.Notices);

    /// <summary>Keys of which a run keeps what they come to, those of all families.</summary>
    internal static IEnumerable<string> OutcomeKeys =>
        Families.All.Select(family => family.Options.GetType()).Distinct().SelectMany(ConfigKeys.OutcomesOf);

    internal FamilyOptions With(Type type) => all.First(options => options.GetType() == type);

    /// <summary>A key was written that is not left at its default.</summary>
    internal void Note(string key) => written.Add(key);

    /// <summary>What keys of other families mean for a model, in sentences: they have no effect.</summary>
    /// <exception cref="ConfigException">A family refuses to have its keys ignored.</exception>
    public IReadOnlyList<string> Check(ModelFamily family)
    {
        List<string> ignored = [];
        foreach (var others in Families.All.GroupBy(other => other.Options.GetType()).Where(others => others.Key != family.Options.GetType()))
        {
            var keys = ConfigKeys.Of(others.Key).Where(written.Contains).ToList();
            var titles = string.Join(" and ", others.Select(other => other.Title));
            if (keys.Count > 0 && others.First().Options.RefusedElsewhere)
            {
                var words = string.Join(" and ", keys);
                throw new ConfigException($"{words} {(keys.Count == 1 ? "is" : "are")} for {titles}; this model is {family.ModelType}");
            }

            ignored.AddRange(keys.Select(key => $"{key} is ignored: it is for {titles}, this model is {family.ModelType}"));
        }

        return ignored;
    }
}
