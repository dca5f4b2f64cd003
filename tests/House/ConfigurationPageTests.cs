using System.Text.RegularExpressions;
using Fovea.Training.Config;

namespace Fovea.Tests.House;

/// <summary>The page on configuration says what the code does, and the code does what the page says.</summary>
public sealed class ConfigurationPageTests
{
    [Fact]
    public void The_page_is_up_to_date()
    {
        var path = Path.Combine(TestFiles.Root, "docs", "configuration.md");
        if (Environment.GetEnvironmentVariable("FOVEA_WRITE_DOCS") == "1")
        {
            File.WriteAllText(path, ConfigurationPage.Text());
        }

        Assert.Equal(ConfigurationPage.Text(), File.ReadAllText(path));
    }

    [Fact]
    public void Every_honoured_key_has_a_meaning_on_the_page() =>
        Assert.All(ConfigKeys.All, key => Assert.Matches($@"\| `{key.Name}`[^|]*\|[^|]*\|[^|]*\| \S.* \|", ConfigurationPage.Text()));

    [Fact]
    public void No_key_is_in_two_tables()
    {
        var all = ConfigKeys.Known.ToList();
        Assert.Equal(all.Distinct(), all);
    }

    [Fact]
    public void Every_honoured_key_is_read_by_something()
    {
        // What a section derives from its keys is a use; a declaration is none.
        var code = SourceTree.CSharp("src")
            .Select(file => string.Join('\n', file.Value.Where(line => !line.Contains("{ get; init; }", StringComparison.Ordinal)))).ToList();
        var unread = ConfigKeys.All.Select(key => key.Property.Name)
            .Where(name => !code.Any(text => Regex.IsMatch(text, $@"(?<!cref=""){name}\b")));
        Assert.Empty(unread);
    }
}
