using System.Text.RegularExpressions;
using Fovea.Nn;

namespace Fovea.Training.Optim;

/// <summary>Which weights weight decay pulls on: all but biases and norms by name, and layer norms by kind, as Transformers decides it.</summary>
internal static partial class DecayRule
{
    public static bool Applies(ParameterShard part) => !part.IsNorm && Applies(part.Name);

    public static bool Applies(Parameter parameter) => !parameter.IsNorm && Applies(parameter.Name);

    /// <summary>The weight decay of a part.</summary>
    /// <param name="all">Decays everything, whatever the rule says.</param>
    public static double Of(ParameterShard part, double weightDecay, bool all) => all || Applies(part) ? weightDecay : 0;

    public static bool Applies(string name) => !Exempt().IsMatch(name);

    [GeneratedRegex(@"bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Exempt();
}
