using System.CommandLine;
using Fovea.Cli;
using Fovea.Data.Datasets;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Base;

/// <summary><c>~</c> is the home folder in every path of the configuration and of the command line.</summary>
public sealed class UserPathTests
{
    private static readonly string Home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);

    // Options and arguments with text that is no path.
    private static readonly string[] Words =
    [
        "KEY=VALUE", "KEYS", "overrides", "actions", "--device", "--dtype", "--peer-attention", "--zero", "--ranks", "--offload", "--card", "--format",
        "--template", "--prompt", "--system", "--once", "--metric", "--metric-arg", "--url", "BENCHMARK",
        "ID", "--revision", "--include", "--exclude", "--repo-type", "--message", "--name", "--host", "--api-key", "--cors", "--serve", "WHAT",
    ];

    public static TheoryData<string> PathKeys => [.. ConfigKeys.All.Where(key => key.FilePath).Select(key => key.Name)];

    [Theory]
    [InlineData("~", "")]
    [InlineData("~/", "")]
    [InlineData("~/a/b", "/a/b")]
    [InlineData("~//a", "/a")]
    public void A_tilde_is_the_home_folder(string path, string below) => Assert.Equal(Home + below, UserPath.Expand(path));

    [Theory]
    [InlineData("a/~")]
    [InlineData("/~/a")]
    [InlineData("./~a")]
    [InlineData("")]
    public void Anywhere_else_it_is_a_character(string path) => Assert.Equal(path, UserPath.Expand(path));

    [Fact]
    public void Another_user_s_home_is_refused_by_name() =>
        Assert.StartsWith("~nobody/x: another user's home folder", Assert.Throws<ConfigException>(() => UserPath.Expand("~nobody/x")).Message);

    [Theory]
    [MemberData(nameof(PathKeys))]
    public void Every_key_that_is_a_path_knows_it_in_YAML_and_on_the_command_line(string name)
    {
        var key = ConfigKeys.All.Single(key => key.Name == name);
        string[][] ways = [[$"{name}=~/x"], [$"--{name}=~/x"], [$"--{name.Replace('_', '-')}", "~/x"]];
        foreach (var value in ways.Select(way => Value(string.Empty, way)).Append(Value($"{name}: ~/x\n", [])).Append(Value($"{name}: \"~/x\"\n", [])))
        {
            Assert.Equal($"{Home}/x", value);
        }

        if (key.Property.PropertyType == typeof(IReadOnlyList<string>))
        {
            Assert.Equal($"a,{Home}/x", Value(string.Empty, [$"{name}=a, ~/x"]));
            Assert.Equal($"a,{Home}/x", Value($"{name}: [a, ~/x]\n", []));
        }

        var error = Assert.Throws<ConfigException>(() => Value($"{name}: ~nobody/x\n", []));
        Assert.Contains($"c.yaml line 1: {name}", error.Message);
        Assert.Contains("another user's home folder", error.Message);

        // For a chat, what a DeepSpeed file says is not looked at; it needs a model.
        string Value(string yaml, string[] overrides) => ConfigKeys.Describe(name == "deepspeed"
            ? TrainConfig.Parse(yaml, "c.yaml", [.. overrides, "model_name_or_path=m"], ConfigUse.Chat)
            : TrainConfig.Parse(yaml, "c.yaml", overrides, ConfigUse.Any))[name];
    }

    [Fact]
    public void No_key_that_sounds_like_a_path_is_left_out()
    {
        string[] sounds = ["Dir", "Path", "File", "Folder", "Dataset", "Checkpoint", "Prompts", "Deepspeed"];
        var keys = ConfigKeys.All.Where(key => key.Property.PropertyType != typeof(bool))
            .Where(key => key.FilePath || sounds.Any(end => key.Property.Name.EndsWith(end, StringComparison.Ordinal)));
        Assert.Equal(15, keys.Count());
        Assert.All(keys, key => Assert.True(key.FilePath, key.Name));
        Assert.Equal(15, PathKeys.Count);
    }

    [Fact]
    public void Every_option_and_argument_of_every_verb_is_a_path_that_knows_it_or_a_word()
    {
        var seen = 0;
        Command[] roots = [Program.Root(), Fovea.Bench.Program.Root()];
        foreach (var (root, (verb, command)) in roots.SelectMany(root => Commands(root, []).Select(found => (root, found))))
        {
            foreach (var option in command.Options.Where(option => IsText(option.ValueType)))
            {
                seen++;
                var values = Enumerable.Repeat("~/x", Math.Max(1, option.Arity.MinimumNumberOfValues));
                Check(option.Name, root.Parse([.. verb, option.Name, .. values]), result => result.GetValue<object>(option.Name));
            }

            foreach (var argument in command.Arguments.Where(a => !Words.Contains(a.Name) && IsText(a.ValueType)))
            {
                seen++;
                var before = command.Arguments.TakeWhile(a => a != argument).Select(a => a.Name == "WHAT" ? "config" : "x");
                Check(argument.Name, root.Parse([.. verb, .. before, "~/x"]), result => result.GetValue<object>(argument.Name));
            }
        }

        Assert.True(seen > 30, $"only {seen} options seen");

        static bool IsText(Type type) => type == typeof(string) || type == typeof(string[]);

        static void Check(string name, ParseResult parsed, Func<ParseResult, object?> read)
        {
            if (!Words.Contains(name))
            {
                var value = read(parsed);
                var given = value as string ?? (value as string[])?[^1];
                Assert.True(given == $"{Home}/x", $"{name} gives {given}: call IsPath() where it is made, or list it as a word");
            }
        }
    }

    [Fact]
    public void A_data_set_s_file_is_found_in_the_home_folder()
    {
        var inHome = Directory.CreateDirectory(Path.Combine(Home, $".fovea-test-{Environment.ProcessId}")).FullName;
        try
        {
            File.WriteAllText(Path.Combine(inHome, "rows.json"), "[{\"instruction\": \"a\", \"output\": \"b\"}]");
            File.WriteAllText(Path.Combine(inHome, DatasetCatalog.InfoFile), $"{{\"mine\": {{\"file_name\": \"~/{Path.GetFileName(inHome)}/rows.json\"}}}}");
            Assert.Equal([Path.Combine(inHome, "rows.json")], DatasetCatalog.Resolve(["mine"], inHome).Single().Files);
        }
        finally
        {
            Directory.Delete(inHome, recursive: true);
        }
    }

    [Fact]
    public void A_row_s_image_is_taken_as_it_stands_and_the_error_says_so()
    {
        using var folder = new TempFolder();
        folder.Write("rows.json", """
            [{"messages": [{"role": "user", "content": "<image>a"}, {"role": "assistant", "content": "b"}], "images": ["~/x.png"]}]
            """);
        using var rows = new FileRows(DatasetCatalog.Resolve(["rows.json"], folder.Root).Single(), new DataOptions { DatasetDir = folder.Root });
        var problems = new List<string>();
        Assert.Null(rows.Read(0, problems));
        Assert.Contains("~ is not expanded in rows: write the whole path", Assert.Single(problems));
    }

    private static IEnumerable<(string[] Verb, Command Command)> Commands(Command command, string[] before) =>
        command.Subcommands.SelectMany(sub => Commands(sub, [.. before, sub.Name])).Append((before, command));
}
