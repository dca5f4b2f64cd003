using System.Diagnostics;
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
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-package").FullName;

    [Fact]
    public void The_examples_build_against_the_package_and_fine_tune_and_chat()
    {
        Pack();
        var (fineTune, chat) = (Build("FineTune"), Build("Chat"));
        var photos = Directory.CreateDirectory(Path.Combine(folder, "photos")).FullName;
        foreach (var image in Directory.GetFiles(Images).Order(StringComparer.Ordinal).Take(12))
        {
            File.Copy(image, Path.Combine(photos, Path.GetFileName(image)));
            File.WriteAllText(Path.Combine(photos, Path.ChangeExtension(Path.GetFileName(image), ".txt")), "A shape.");
        }

        var saved = Path.Combine(folder, "saved");
        var trained = Run([fineTune, Model, photos, saved, "5"]);
        Assert.Contains("step 5 of 5: loss ", trained);
        Assert.Contains("5 steps, mean loss ", trained);
        Assert.Contains("on 1 held-out rows", trained);
        Assert.True(File.Exists(Path.Combine(saved, "adapter_model.safetensors")));
        var image0 = Directory.GetFiles(Images).Order(StringComparer.Ordinal).First();
        Assert.NotEmpty(Run([chat, Model, saved], $"{image0}\nDescribe this picture.\nWhat colour is it?\n\n").Trim());
        Assert.Contains("usage: FineTune", Run([fineTune], code: 2));
        Assert.Contains("must be a model's folder, or its name on a hub", Run([chat, "nowhere"], code: 1));
    }

    // Programs, and packages beside the library's.
    private static readonly string[] OwnPackages = ["Fovea.AspNetCore", "Fovea.Board", "Fovea.Cli", "Fovea.Extensions.AI", "Fovea.Launch"];

    [Fact]
    public void The_package_holds_every_room_and_depends_on_published_packages_alone()
    {
        Pack();
        using var package = ZipFile.OpenRead(Directory.GetFiles(Path.Combine(folder, "feed"), "*.nupkg").Single());
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
    public void What_the_pages_show_in_CSharp_compiles_against_the_package()
    {
        Pack();
        var methods = new List<string>();
        foreach (var page in new[] { "README.md", "docs/library.md", "docs/evaluation.md", "docs/predictions.md", "docs/telemetry.md" })
        {
            var text = File.ReadAllText(Path.Combine(TestFiles.Root, page));
            var shown = Snippet().Matches(text).Select(match => match.Groups[1].Value).ToList();
            Assert.NotEmpty(shown);
            methods.AddRange(shown.Select((code, i) => Method($"{Path.GetFileNameWithoutExtension(page)}{i}", code)));
        }

        var here = Directory.CreateDirectory(Path.Combine(folder, "Pages")).FullName;
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
        Build(here, "Pages");

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
        Pack("Fovea");
        Pack("Fovea.AspNetCore");
        var page = File.ReadAllText(Path.Combine(TestFiles.Root, "docs/serving.md"));
        var here = Directory.CreateDirectory(Path.Combine(folder, "App")).FullName;
        File.WriteAllText(Path.Combine(here, "Program.cs"), Snippet().Matches(page).Single().Groups[1].Value);
        File.WriteAllText(Path.Combine(here, "App.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk.Web">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
                <RestorePackagesPath>{Path.Combine(folder, "packages")}</RestorePackagesPath>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="Fovea.AspNetCore" Version="{Version()}" />
              </ItemGroup>
            </Project>
            """);
        Build(here, "App");

        string Version() => Path.GetFileName(Directory.GetFiles(Path.Combine(folder, "feed"), "Fovea.AspNetCore.*.nupkg").Single())
            ["Fovea.AspNetCore.".Length..^".nupkg".Length];
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private void Pack(string project = "Fovea") => Run(
        ["pack", Path.Combine(TestFiles.Root, $"src/{project}/{project}.csproj"), "-c", "Release", "--no-build", "-nologo", "-o",
            Path.Combine(folder, "feed")]);

    [GeneratedRegex(@"```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Snippet();

    /// <summary>The program of an example, built in a folder of its own.</summary>
    private string Build(string name)
    {
        var here = Directory.CreateDirectory(Path.Combine(folder, name)).FullName;
        foreach (var file in Directory.GetFiles(Path.Combine(TestFiles.Root, "examples/csharp", name)))
        {
            File.Copy(file, Path.Combine(here, Path.GetFileName(file)));
        }

        return Build(here, name);
    }

    private string Build(string here, string name)
    {
        File.WriteAllText(Path.Combine(here, "nuget.config"), $"""
            <configuration><packageSources><add key="fovea" value="{Path.Combine(folder, "feed")}" /></packageSources></configuration>
            """);
        Run(["build", Path.Combine(here, $"{name}.csproj"), "-c", "Release", "-nologo", "-v:q", "-nodeReuse:false", "-p:UseSharedCompilation=false"]);
        var output = Path.Combine(here, "bin/Release/net10.0");
        Assert.Equal(["linux-x64"], Directory.GetDirectories(Path.Combine(output, "runtimes")).Select(Path.GetFileName));
        return Path.Combine(output, $"{name}.dll");
    }

    private string Run(IReadOnlyList<string> arguments, string input = "", int code = 0)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, arguments)
        {
            WorkingDirectory = folder, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };

        // The package must not stay in the cache of packages, where the next one of the same version would not replace it.
        start.Environment["NUGET_FALLBACK_PACKAGES"] = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget/packages");
        start.Environment["NUGET_PACKAGES"] = Path.Combine(folder, "packages");
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == code, $"{string.Join(' ', arguments)}: exit code {process.ExitCode}\n{output}\n{errors.Result}");
        return output + errors.Result;
    }
}
