using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Fovea.Tests.House;

/// <summary>Which project may see which, and what stays in which folder.</summary>
public sealed partial class RoomTests
{
    // Abstractions rests on the base class library alone, Base on Abstractions, which everything above sees too, and Files, Tensors and Runs on these two.
    // With transitive references off, what a project compiles against is this.
    private static readonly Dictionary<string, string[]> Sees = new()
    {
        ["Fovea.Abstractions"] = [],
        ["Fovea.Base"] = ["Fovea.Abstractions"],
        ["Fovea.Files"] = ["Fovea.Abstractions", "Fovea.Base"],
        ["Fovea.Hub"] = ["Fovea.Abstractions", "Fovea.Base"],
        ["Fovea.Tensors"] = ["Fovea.Abstractions", "Fovea.Base"],
        ["Fovea.Runs"] = ["Fovea.Abstractions", "Fovea.Base"],
        ["Fovea.Nn"] = ["Fovea.Abstractions", "Fovea.Base", "Fovea.Tensors"],
        ["Fovea.Data"] = ["Fovea.Abstractions", "Fovea.Base"],
        ["Fovea.Evaluation"] = ["Fovea.Abstractions", "Fovea.Base", "Fovea.Data"],
        ["Fovea.Models"] = ["Fovea.Abstractions", "Fovea.Base", "Fovea.Data", "Fovea.Files", "Fovea.Nn", "Fovea.Tensors"],
        ["Fovea.Distributed"] = ["Fovea.Abstractions", "Fovea.Base", "Fovea.Nn", "Fovea.Tensors"],
        ["Fovea.Generation"] = ["Fovea.Abstractions", "Fovea.Base", "Fovea.Data", "Fovea.Models", "Fovea.Nn", "Fovea.Tensors"],
        ["Fovea.Training"] =
        [
            "Fovea.Abstractions", "Fovea.Base", "Fovea.Data", "Fovea.Distributed", "Fovea.Evaluation", "Fovea.Files", "Fovea.Generation", "Fovea.Hub",
            "Fovea.Models", "Fovea.Nn", "Fovea.Runs", "Fovea.Tensors",
        ],
        ["Fovea"] =
        [
            "Fovea.Abstractions", "Fovea.Base", "Fovea.Data", "Fovea.Distributed", "Fovea.Evaluation", "Fovea.Files", "Fovea.Generation", "Fovea.Hub",
            "Fovea.Models", "Fovea.Nn", "Fovea.Runs", "Fovea.Tensors", "Fovea.Training",
        ],
        ["Fovea.AspNetCore"] = ["Fovea.Abstractions", "Fovea"],
        ["Fovea.Board"] = ["Fovea.Abstractions", "Fovea.Base", "Fovea.Evaluation", "Fovea.Launch", "Fovea.Runs"],
        ["Fovea.Extensions.AI"] = ["Fovea.Abstractions", "Fovea"],
        ["Fovea.Tool"] = [],
        ["Fovea.Launch"] = ["Fovea.Abstractions", "Fovea.Base", "Fovea.Distributed", "Fovea.Tensors", "Fovea.Training"],
        ["Fovea.Cli"] =
        [
            "Fovea.Abstractions", "Fovea.AspNetCore", "Fovea.Base", "Fovea.Board", "Fovea.Data", "Fovea.Distributed", "Fovea.Evaluation", "Fovea.Files",
            "Fovea.Generation", "Fovea.Hub", "Fovea.Launch", "Fovea.Models", "Fovea.Nn", "Fovea.Runs", "Fovea.Tensors", "Fovea.Training", "Fovea",
        ],
    };

    private static readonly Dictionary<string, string[]> Packages = new()
    {
        ["Fovea.Data"] = ["Apache.Arrow", "Apache.Arrow.Compression", "ParquetSharp"],
        ["Fovea.Evaluation"] = ["SkiaSharp", "SkiaSharp.NativeAssets.Linux.NoDependencies"],
        ["Fovea.Runs"] = ["ScottPlot", "SkiaSharp", "SkiaSharp.HarfBuzz", "SkiaSharp.NativeAssets.Linux.NoDependencies"],
        ["Fovea.Training"] = ["YamlDotNet"],
        ["Fovea.Abstractions"] = ["Microsoft.CodeAnalysis.PublicApiAnalyzers"],
        ["Fovea"] =
        [
            "Apache.Arrow", "Apache.Arrow.Compression", "Microsoft.CodeAnalysis.PublicApiAnalyzers", "Microsoft.Extensions.Logging.Abstractions",
            "ParquetSharp", "ScottPlot", "SkiaSharp", "SkiaSharp.HarfBuzz", "SkiaSharp.NativeAssets.Linux.NoDependencies", "YamlDotNet",
        ],
        ["Fovea.AspNetCore"] = ["Microsoft.CodeAnalysis.PublicApiAnalyzers"],
        ["Fovea.Extensions.AI"] = ["Microsoft.CodeAnalysis.PublicApiAnalyzers", "Microsoft.Extensions.AI"],
        ["Fovea.Cli"] = ["Spectre.Console", "System.CommandLine"],
    };

    public static TheoryData<string> Projects => [.. Sees.Keys];

    [Fact]
    public void Every_project_is_in_the_graph() => Assert.Equal(
        Sees.Keys.Order(StringComparer.Ordinal),
        Directory.EnumerateFiles(Path.Combine(TestFiles.Root, "src"), "*.csproj", SearchOption.AllDirectories)
            .Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_sees_exactly_what_the_graph_allows(string project)
    {
        var xml = XDocument.Load(Path.Combine(TestFiles.Root, "src", project, $"{project}.csproj"));
        string[] Names(string element) => [.. xml.Descendants(element).Select(e => (string)e.Attribute("Include")!).Order(StringComparer.Ordinal)];
        Assert.Equal(Sees[project], Names("ProjectReference").Select(path => Path.GetFileNameWithoutExtension(path)));
        Assert.Equal(Packages.GetValueOrDefault(project, []), Names("PackageReference"));
    }

    [Fact]
    public void Transitive_references_are_off_everywhere()
    {
        var props = XDocument.Load(Path.Combine(TestFiles.Root, "Directory.Build.props"));
        Assert.Equal("true", props.Descendants("DisableTransitiveProjectReferences").Single().Value);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(TestFiles.Root, "src"), "*.csproj", SearchOption.AllDirectories))
        {
            Assert.DoesNotContain("DisableTransitiveProjectReferences", File.ReadAllText(file));
        }
    }

    [Fact]
    public void Unsafe_code_and_imports_live_in_folders_named_Native() => Assert.Empty(SourceTree.Find(
        SourceTree.Programs.Where(file => !file.Key.Split('/').Contains("Native")), Unsafe()));

    // What they read is the system's, another process's, or what Fovea itself wrote as a log.
    private static readonly string[] ReadOtherText =
    [
        "src/Fovea.Launch/MemoryEvents.cs", "src/Fovea.Launch/RankLog.cs", "src/Fovea.Runs/Files/StepLines.cs", "src/Fovea.Runs/Files/ResultsSink.cs",
        "src/Fovea.Training/Planning/ProcessMemory.cs", "src/Fovea.Tensors/Blas.cs", "src/Fovea.Tensors/Processor.cs",
        "bench/Fovea.Bench/PeerProcess.cs", "bench/Fovea.Bench/RankBench.cs", "bench/Fovea.Bench/RunTrace.cs",
        "bench/Fovea.Bench/ServeBench.cs", "bench/Fovea.Bench/Verbs/RankBenchVerb.cs",
    ];

    [Fact]
    public void Users_text_and_JSON_are_opened_in_Base_alone() => Assert.Empty(SourceTree.Find(
        SourceTree.Programs.Where(file => !file.Key.StartsWith("src/Fovea.Base/", StringComparison.Ordinal) && !ReadOtherText.Contains(file.Key)),
        OpensText()));

    // Beside the demonstration, which shows everything at once. What grows past this belongs to a room of its own.
    // Raised by four verbs: the server's, which is its options, the board's, fetch and push, and by the line that shows how far a fetch is; describe, which
    // answers the board's pages, is a fifth verb; and by the rows that data check finds twice.
    private const int MostCommandLine = 3330;

    [Fact]
    public void The_command_line_is_a_command_line() => Assert.InRange(
        SourceTree.CSharp("src/Fovea.Cli/").Where(file => !file.Key.StartsWith("src/Fovea.Cli/Demo/", StringComparison.Ordinal)).Sum(file => file.Value.Length),
        1000, MostCommandLine);

    [Fact]
    public void Models_free_nothing_themselves()
    {
        Assert.Empty(SourceTree.Find(SourceTree.CSharp("src/Fovea.Models"), Collect()));
        // What owns a whole model closes it; the code of a family only computes.
        var families = SourceTree.CSharp("src/Fovea.Models").Where(file => FamilyTests.Families.Contains(file.Key.Split('/')[2]));
        Assert.Empty(SourceTree.Find(families, Dispose()));
        Assert.Empty(SourceTree.Find(SourceTree.CSharp("src/Fovea.Nn").Where(file => !file.Key.EndsWith("Ledger.cs", StringComparison.Ordinal)), Collect()));
    }

    [Fact]
    public void Nothing_is_left_for_later() => Assert.Empty(SourceTree.Find(SourceTree.Programs, Later()));

    [GeneratedRegex(@"\bunsafe\s|\[(?:LibraryImport|DllImport)\b|\bstackalloc\s+\w+\s*\*", RegexOptions.CultureInvariant)]
    private static partial Regex Unsafe();

    [GeneratedRegex(
        @"JsonDocument\.Parse\(|File\.ReadAll(?:Text|Lines)\(|File\.ReadLines\(|new StreamReader\(|JsonNode\.Parse\((?!TextFile)",
        RegexOptions.CultureInvariant)]
    private static partial Regex OpensText();

    [GeneratedRegex(@"\bGC\.Collect\b", RegexOptions.CultureInvariant)]
    private static partial Regex Collect();

    [GeneratedRegex(@"\.Dispose\(\)", RegexOptions.CultureInvariant)]
    private static partial Regex Dispose();

    [GeneratedRegex(@"NotImplementedException|\b(?:TODO|FIXME|HACK)\b", RegexOptions.CultureInvariant)]
    private static partial Regex Later();
}
