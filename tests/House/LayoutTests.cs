using System.Text.RegularExpressions;

namespace Fovea.Tests.House;

/// <summary>Sizes and names of source files.</summary>
public sealed partial class LayoutTests
{
    private const int MostLines = 500;
    private const int MostColumns = 160;

    [Fact]
    public void No_type_is_longer_than_500_lines_with_all_its_parts()
    {
        var types = SourceTree.CSharp(string.Empty)
            .SelectMany(file => SourceTree.Types(file.Value).Select(type => (Path.GetDirectoryName(file.Key), type.Name, type.Lines)))
            .GroupBy(type => (type.Item1, type.Name), type => type.Lines)
            .Select(type => (Type: type.Key, Lines: type.Sum()))
            .ToList();
        Assert.True(types.Count > 250, $"only {types.Count} types found");
        Assert.All(types, type => Assert.True(type.Lines is > 0 and <= MostLines, $"{type.Type} has {type.Lines} lines"));
    }

    [Fact]
    public void No_native_file_is_longer_than_500_lines() => Assert.All(
        SourceTree.Files.Where(file => !file.Key.EndsWith(".cs", StringComparison.Ordinal)),
        file => Assert.True(file.Value.Length <= MostLines, $"{file.Key} has {file.Value.Length} lines"));

    [Fact]
    public void No_line_is_longer_than_160_characters() => Assert.Empty(
        SourceTree.Files.SelectMany(file => file.Value.Select((line, i) => (At: $"{file.Key}:{i + 1}", line.Length)).Where(line => line.Length > MostColumns)));

    // Closed sets, whose kinds are a few lines each.
    private static readonly string[] Sets =
    [
        "src/Fovea.Data/Tokenizers/Decoders/TokenDecoder.cs", "src/Fovea.Data/Tokenizers/Normalizers/Normalizer.cs",
        "src/Fovea.Data/Tokenizers/PreTokenizers/PreTokenizer.cs", "src/Fovea.Data/Templates/Jinja/Expression.cs",
        "src/Fovea.Data/Templates/Jinja/Statement.cs", "src/Fovea.Tensors/Arg.cs",
    ];

    [Fact]
    public void A_file_holds_one_type_and_is_named_after_it()
    {
        foreach (var (path, lines) in SourceTree.CSharp(string.Empty))
        {
            var types = SourceTree.Types(lines).ToList();
            var names = types.Where(type => !type.OfFile).Select(type => type.Name).ToList();
            Assert.True(names.Count <= 1 || Sets.Contains(path), $"{path} holds {string.Join(" and ", names)}");
            Assert.True(names.Count == 0 || names.Contains(Path.GetFileName(path).Split('.')[0]), $"{path} holds {string.Join(", ", names)}");
        }
    }

    [Fact]
    public void No_field_begins_with_an_underscore() => Assert.Empty(SourceTree.Find(SourceTree.CSharp(string.Empty), Underscored()));

    [Fact]
    public void Namespaces_are_file_scoped() => Assert.Empty(SourceTree.Find(SourceTree.CSharp(string.Empty), BlockNamespace()));

    [GeneratedRegex(@"^\s+(?:(?:private|internal|protected|public|static|readonly)\s)+[^=;{]*[\s>\]?)]s?_\w+\s*(?:=|;|$)", RegexOptions.CultureInvariant)]
    private static partial Regex Underscored();

    [GeneratedRegex(@"^namespace\s[^;]*$", RegexOptions.CultureInvariant)]
    private static partial Regex BlockNamespace();
}
