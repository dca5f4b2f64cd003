using System.Text.RegularExpressions;
using Fovea.Models;

namespace Fovea.Tests.House;

/// <summary>A model family is one folder of five nouns, seen by nobody but the table of families.</summary>
public sealed class FamilyTests
{
    // Folders of Models that hold no family.
    private static readonly string[] Others = ["Configs", "Grids", "Hybrids", "Peft", "Saving", "Slices", "Vocabularies"];

    /// <summary>The folders of families.</summary>
    public static IReadOnlyList<string> Families { get; } =
    [
        .. Directory.GetDirectories(Path.Combine(TestFiles.Root, "src", "Fovea.Models"))
            .Select(folder => Path.GetFileName(folder)).Where(name => !Others.Contains(name) && name is not ("bin" or "obj")).Order(StringComparer.Ordinal),
    ];

    [Fact]
    public void A_family_is_a_folder_of_five_nouns()
    {
        Assert.NotEmpty(Families);
        foreach (var family in Families)
        {
            foreach (var noun in new[] { "Config", "Vision", "Language", "Model", "Processor" })
            {
                Assert.Contains($"src/Fovea.Models/{family}/{family}{noun}.cs", SourceTree.Files.Keys);
                Assert.NotNull(typeof(VisionLanguageModel).Assembly.GetType($"Fovea.Models.{family}.{family}{noun}"));
            }
        }
    }

    [Fact]
    public void The_table_has_one_line_a_family() => Assert.Equal(Families.Count, Models.Families.All.Count);

    [Fact]
    public void Only_the_table_names_a_family()
    {
        foreach (var (path, lines) in SourceTree.Programs.Where(file => file.Key != "src/Fovea.Models/Families.cs"))
        {
            foreach (var family in Families.Where(family => !path.StartsWith($"src/Fovea.Models/{family}/", StringComparison.Ordinal)))
            {
                Assert.DoesNotContain(lines, line => Regex.IsMatch(line, $@"Models\.{family}\b", RegexOptions.CultureInvariant));
            }
        }
    }
}
