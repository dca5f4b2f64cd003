using System.Text.RegularExpressions;

namespace Fovea.Training.Engine;

/// <summary>Which weights weight decay pulls on: all but biases and norms by name, as Transformers decides it.</summary>
public static partial class DecayRule
{
    public static bool Applies(string name) => !Exempt().IsMatch(name);

    [GeneratedRegex(@"bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Exempt();
}
