using System.Text.RegularExpressions;
using Fovea.Cli;

namespace Fovea.Tests.House;

/// <summary>The README claims nothing that is not there.</summary>
public sealed partial class ReadmeTests
{
    private static readonly string Text = File.ReadAllText(Path.Combine(TestFiles.Root, "README.md"));

    [Fact]
    public void Every_test_that_it_names_exists()
    {
        var classes = typeof(ReadmeTests).Assembly.GetTypes().Select(type => type.Name).ToHashSet();
        var claims = Text[Text.IndexOf("## What works", StringComparison.Ordinal)..Text.IndexOf("Missing, or never tried", StringComparison.Ordinal)];
        var named = claims.Split('\n').Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Skip(1)
            .Select(line => (Line: line, Names: Name().Matches(line.Split('|')[2]).Select(match => match.Groups[1].Value).ToList())).ToList();
        Assert.True(named.Count > 15);
        Assert.All(named, row => Assert.True(row.Names.Count > 0 || row.Line.Contains("doctor", StringComparison.Ordinal), row.Line));
        Assert.All(named.SelectMany(row => row.Names), name => Assert.Contains(name, classes));
    }

    [Fact]
    public void Every_verb_of_its_examples_exists_and_every_listed_verb_has_one()
    {
        // doctor and env are the launcher's own.
        var verbs = Program.Root().Subcommands.Where(verb => !verb.Hidden).Select(verb => verb.Name).Concat(["doctor", "env"]).Order().ToList();
        var shown = Verb().Matches(Text).Select(match => match.Groups[1].Value).Distinct().Order().ToList();
        Assert.Equal(verbs, shown.Where(verbs.Contains));
        Assert.Empty(shown.Except(verbs).Except(["demo"]));
    }

    [Fact]
    public void Links_lead_somewhere()
    {
        foreach (var page in new[] { "README.md", "docs/decisions/README.md" })
        {
            var folder = Path.GetDirectoryName(Path.Combine(TestFiles.Root, page))!;
            var links = Link().Matches(File.ReadAllText(Path.Combine(TestFiles.Root, page))).Select(match => match.Groups[1].Value).ToList();
            Assert.NotEmpty(links);
            Assert.All(links, link => Assert.True(File.Exists(Path.Combine(folder, link)), link));
        }
    }

    [Fact]
    public void The_tree_lists_every_project()
    {
        var projects = Directory.GetDirectories(Path.Combine(TestFiles.Root, "src")).Select(folder => Path.GetFileName(folder));
        Assert.All(projects, project => Assert.Contains($"  {project}/ ", Text));
    }

    [GeneratedRegex(@"`(\w+)`", RegexOptions.CultureInvariant)]
    private static partial Regex Name();

    [GeneratedRegex(@"\./fovea ([a-z]+)", RegexOptions.CultureInvariant)]
    private static partial Regex Verb();

    [GeneratedRegex(@"\]\(([^)#:]+)\)", RegexOptions.CultureInvariant)]
    private static partial Regex Link();
}
