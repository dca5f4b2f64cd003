using System.Text.RegularExpressions;

namespace Fovea.Tests.House;

/// <summary>No test skips where the reference data lies beside the checkout, and no test skips for any other reason.</summary>
public sealed partial class SkipTests
{
    [Fact]
    public void Skipping_goes_through_one_door() =>
        Assert.Equal(
            ["tests/TestFiles.cs"],
            SourceTree.Find(SourceTree.CSharp("tests"), Skip()).Select(at => at.Split(':')[0]).Distinct());

    [Fact]
    public void Where_the_reference_data_is_present_all_of_it_is_found()
    {
        var named = SourceTree.CSharp("tests").Where(file => file.Key != "tests/TestFiles.cs")
            .SelectMany(file => file.Value).SelectMany(line => Reference().Matches(line).Select(match => match.Groups["path"].Value)).Distinct().ToList();
        Assert.True(named.Count >= 8, $"only {string.Join(", ", named)}");
        var missing = named.Where(path => TestFiles.Shared(path) is null).ToList();
        // All or nothing: a reference folder with holes would turn tests off unseen.
        Assert.Equal(TestFiles.Shared("golden") is null ? named : [], missing);
    }

    [GeneratedRegex(@"\bAssert\.Skip|\bSkip(?:When|Unless)?\s*=\s|\.SkipWhen\(|\.SkipUnless\(", RegexOptions.CultureInvariant)]
    private static partial Regex Skip();

    [GeneratedRegex(@"""(?<path>(?:golden|data)/[\w./-]+)""", RegexOptions.CultureInvariant)]
    private static partial Regex Reference();
}
