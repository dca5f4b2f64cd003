using Fovea.Nn;

namespace Fovea.Models.Grids;

/// <summary>
/// Names of the checkpoints before Transformers nested them: the hub and the ledger have <c>visual.*</c>, <c>model.*</c>; newer releases write the tree as
/// <c>model.visual.*</c>, <c>model.language_model.*</c>.
/// </summary>
internal static class FlatNames
{
    public static NameMap Map { get; } = new(ToLedger, ToModule);

    /// <summary>The part that a weight or layer belongs to, by the ledger's name.</summary>
    public static ModelPart PartOf(string name) =>
        name.StartsWith("visual.merger", StringComparison.Ordinal) ? ModelPart.Projector
        : name.StartsWith("visual.", StringComparison.Ordinal) ? ModelPart.Vision
        : ModelPart.Language;

    private static string ToLedger(string name)
    {
        const string vision = "model.visual.";
        const string language = "model.language_model.";
        return name.StartsWith(vision, StringComparison.Ordinal) ? name["model.".Length..]
            : name.StartsWith(language, StringComparison.Ordinal) ? $"model.{name[language.Length..]}"
            : name;
    }

    private static string ToModule(string name) =>
        name.StartsWith("visual.", StringComparison.Ordinal) ? $"model.{name}"
        : name.StartsWith("model.", StringComparison.Ordinal) ? $"model.language_model.{name["model.".Length..]}"
        : name;
}
