using System.IO.Compression;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Fovea.Tests.Unit.Library;

/// <summary>The package as a stranger uses it: packed from this tree, installed from a local feed into projects outside the repository, and run.</summary>
[Trait("Category", "Long")]
public sealed partial class PackageTests : IDisposable
{
    private static readonly string Model = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly string Images = TestFiles.Golden("qwen2_5_vl_tiny/data/images");
    private readonly PackageFeed feed = new();

    [Fact]
    public void The_examples_build_against_the_package_and_fine_tune_and_chat()
    {
        feed.Pack("Fovea");
        var (fineTune, chat) = (feed.Build("FineTune"), feed.Build("Chat"));
        var photos = Directory.CreateDirectory(Path.Combine(feed.Folder, "photos")).FullName;
        foreach (var image in Directory.GetFiles(Images).Order(StringComparer.Ordinal).Take(12))
        {
            File.Copy(image, Path.Combine(photos, Path.GetFileName(image)));
            File.WriteAllText(Path.Combine(photos, Path.ChangeExtension(Path.GetFileName(image), ".txt")), "A shape.");
        }

        var saved = Path.Combine(feed.Folder, "saved");
        var trained = feed.Run([fineTune, Model, photos, saved, "5"]);
        Assert.Contains("step 5 of 5: loss ", trained);
        Assert.Contains("5 steps, mean loss ", trained);
        Assert.Contains("on 1 held-out rows", trained);
        Assert.True(File.Exists(Path.Combine(saved, "adapter_model.safetensors")));
        var image0 = Directory.GetFiles(Images).Order(StringComparer.Ordinal).First();
        Assert.NotEmpty(feed.Run([chat, Model, saved], $"{image0}\nDescribe this picture.\nWhat colour is it?\n\n").Trim());
        Assert.Contains("usage: FineTune", feed.Run([fineTune], code: 2));
        Assert.Contains("must be a model's folder, or its name on a hub", feed.Run([chat, "nowhere"], code: 1));
    }

    // Programs, and packages beside the library's.
    private static readonly string[] OwnPackages = ["Fovea.AspNetCore", "Fovea.Board", "Fovea.Cli", "Fovea.Extensions.AI", "Fovea.Launch", "Fovea.Tool"];

    [Fact]
    public void The_package_holds_every_room_and_depends_on_published_packages_alone()
    {
        feed.Pack("Fovea");
        using var package = ZipFile.OpenRead(feed.Packages.Single());
        var names = package.Entries.Select(entry => entry.FullName).ToList();
        var rooms = Directory.GetDirectories(Path.Combine(TestFiles.Root, "src")).Select(Path.GetFileName)
            .Except(OwnPackages);
        Assert.All(rooms, room => Assert.Contains($"lib/net10.0/{room}.dll", names));
        Assert.Contains("lib/net10.0/Fovea.xml", names);
        Assert.Contains("lib/net10.0/Fovea.Abstractions.xml", names);
        Assert.Contains("LICENSE", names);
        using var stream = package.GetEntry("Fovea.nuspec")!.Open();
        var dependencies = XDocument.Load(stream).Descendants().Where(e => e.Name.LocalName == "dependency").Select(e => (string)e.Attribute("id")!).Order();

        // What inner rooms refer to must come with the package, or a program fails on its first use.
        var needed = Directory.EnumerateFiles(Path.Combine(TestFiles.Root, "src"), "*.csproj", SearchOption.AllDirectories)
            .Where(file => !OwnPackages.Contains(Path.GetFileNameWithoutExtension(file)))
            .SelectMany(file => XDocument.Load(file).Descendants("PackageReference"))
            .Where(reference => (string?)reference.Attribute("PrivateAssets") != "all").Select(reference => (string)reference.Attribute("Include")!);
        Assert.Equal(needed.Distinct().Order(), dependencies);
        Assert.DoesNotContain(dependencies, id => id.StartsWith("Fovea", StringComparison.Ordinal));
    }

    [Fact]
    public void The_tool_runs_from_where_it_is_installed_and_needs_no_compiler_for_the_libtorch_it_was_packed_for()
    {
        var (libtorch, version) = (Environment.GetEnvironmentVariable("FOVEA_LIBTORCH"), Environment.GetEnvironmentVariable("FOVEA_LIBTORCH_VERSION"));
        TestFiles.Require(!File.Exists(Path.Combine(libtorch!, "libtorch_cuda.so")), "the tool brings a bridge for the CPU's libtorch alone");
        var library = new FileInfo(Path.Combine(libtorch!, "libtorch_cpu.so"));
        library = (FileInfo?)library.ResolveLinkTarget(returnFinalTarget: true) ?? library;
        var identity = $"{version}-{library.Length}-{new DateTimeOffset(library.LastWriteTimeUtc).ToUnixTimeSeconds()}";
        var bridges = Path.Combine(feed.Folder, "bridges");
        var bridge = Directory.CreateDirectory(Path.Combine(bridges, identity)).FullName;
        File.Copy(Environment.GetEnvironmentVariable("FOVEA_NATIVE")!, Path.Combine(bridge, "libfovea_native.so"));
        feed.Pack(["Fovea.Tool"], $"-p:Bridges={bridges}");
        var tools = Path.Combine(feed.Folder, "tools");
        feed.Run(["tool", "install", "Fovea.Tool", "--tool-path", tools, "--source", Path.Combine(feed.Folder, "feed"), "--no-cache"]);

        var fovea = Path.Combine(tools, "fovea");
        Assert.Equal(feed.Run([Path.Combine(AppContext.BaseDirectory, "Fovea.Cli.dll"), "--version"]).Trim(), feed.Run(["--version"], program: fovea).Trim());
        var native = feed.Run(["env"], program: fovea).Split('\n').Single(line => line.StartsWith("export FOVEA_NATIVE=", StringComparison.Ordinal));
        Assert.StartsWith($"export FOVEA_NATIVE={tools}/", native);
        Assert.EndsWith($"/bridges/{identity}/libfovea_native.so", native.TrimEnd());
        Assert.Contains("10.0.", feed.Run(["dotnet", "--version"], program: fovea));
        Assert.Contains("error: ", feed.Run(["train", "nowhere.yaml"], program: fovea, code: 2));
    }

    [Fact]
    public void What_the_pages_show_in_CSharp_compiles_against_the_package()
    {
        feed.Pack("Fovea");
        var methods = new List<string>();
        foreach (var page in new[] { "README.md", "docs/library.md", "docs/evaluation.md", "docs/predictions.md", "docs/telemetry.md" })
        {
            var text = File.ReadAllText(Path.Combine(TestFiles.Root, page));
            var shown = Snippet().Matches(text).Select(match => match.Groups[1].Value).ToList();
            Assert.NotEmpty(shown);
            methods.AddRange(shown.Select((code, i) => Method($"{Path.GetFileNameWithoutExtension(page)}{i}", code)));
        }

        var here = Directory.CreateDirectory(Path.Combine(feed.Folder, "Pages")).FullName;
        File.Copy(Path.Combine(TestFiles.Root, "examples/csharp/Chat/Chat.csproj"), Path.Combine(here, "Pages.csproj"));
        File.WriteAllText(Path.Combine(here, "Program.cs"), $$"""
            using Fovea;

            internal static class Program
            {
                private static void Main()
                {
                }

                private static double Overlap(string answer, string expected) => answer.Length - expected.Length;

                {{string.Join("\n\n", methods)}}

                private sealed record Row(string Photo, string Question, string Answer);
            }
            """);
        feed.Build(here, "Pages");

        // A page uses names of a program around it, unless it declares them.
        static string Method(string name, string code)
        {
            string[] around =
            [
                "VisionModel model", "IReadOnlyList<Conversation> heldOut", "IReadOnlyList<Row> rows", "Image scan", "CancellationToken cancel",
                "Microsoft.Extensions.Logging.ILogger logger",
            ];
            var given = around.Where(parameter => !code.Contains($"var {parameter.Split(' ')[1]} =", StringComparison.Ordinal));
            var body = code.Replace("using Fovea;", string.Empty);
        return $"private static async Task {name}({string.Join(", ", given)})\n{{\n{body}\nawait Task.CompletedTask;\n}}";
        }
    }

    [Fact]
    public void The_application_of_the_serving_page_builds_against_the_packages()
    {
        feed.Pack("Fovea", "Fovea.AspNetCore");
        var page = File.ReadAllText(Path.Combine(TestFiles.Root, "docs/serving.md"));
        var here = Directory.CreateDirectory(Path.Combine(feed.Folder, "App")).FullName;
        File.WriteAllText(Path.Combine(here, "Program.cs"), Snippet().Matches(page).Single().Groups[1].Value);
        File.WriteAllText(Path.Combine(here, "App.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk.Web">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
                <RestorePackagesPath>{Path.Combine(feed.Folder, "packages")}</RestorePackagesPath>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="Fovea.AspNetCore" Version="{Version()}" />
              </ItemGroup>
            </Project>
            """);
        feed.Build(here, "App");

        string Version() => Path.GetFileName(Directory.GetFiles(Path.Combine(feed.Folder, "feed"), "Fovea.AspNetCore.*.nupkg").Single())
            ["Fovea.AspNetCore.".Length..^".nupkg".Length];
    }

    public void Dispose()
    {
        // What the tool found out about this machine lies in the cache, named by the folder that it was installed in.
        var tools = Path.Combine(CacheFolder.Path, "tool");
        foreach (var found in Directory.Exists(tools) ? Directory.GetFiles(tools, "environment", SearchOption.AllDirectories) : [])
        {
            if (File.ReadLines(found).First().Contains(feed.Folder, StringComparison.Ordinal))
            {
                Directory.Delete(Path.GetDirectoryName(found)!, recursive: true);
            }
        }

        feed.Dispose();
    }

    [GeneratedRegex(@"```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Snippet();
}
