using System.Diagnostics;

namespace Fovea.Tests.Unit.Library;

/// <summary>Packages of this tree in a local feed, and programs outside the repository that are built against them.</summary>
internal sealed class PackageFeed : IDisposable
{
    /// <summary>Where programs are built and run.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("fovea-package").FullName;

    public IReadOnlyList<string> Packages => Directory.GetFiles(Path.Combine(Folder, "feed"), "*.nupkg");

    public void Pack(params string[] projects) => Pack(projects, []);

    /// <param name="properties">Of the build, as <c>-p:NAME=VALUE</c>.</param>
    public void Pack(IReadOnlyList<string> projects, params IReadOnlyList<string> properties)
    {
        foreach (var project in projects)
        {
            Run(["pack", Path.Combine(TestFiles.Root, "src", project, $"{project}.csproj"), "-c", "Release", "--no-build", "-nologo",
                .. properties, "-o", Path.Combine(Folder, "feed")]);
        }
    }

    /// <summary>The program of an example, built in a folder of its own.</summary>
    public string Build(string name)
    {
        var here = Directory.CreateDirectory(Path.Combine(Folder, name)).FullName;
        foreach (var file in Directory.GetFiles(Path.Combine(TestFiles.Root, "examples/csharp", name)))
        {
            File.Copy(file, Path.Combine(here, Path.GetFileName(file)));
        }

        return Build(here, name);
    }

    public string Build(string here, string name)
    {
        File.WriteAllText(Path.Combine(here, "nuget.config"), $"""
            <configuration><packageSources><add key="fovea" value="{Path.Combine(Folder, "feed")}" /></packageSources></configuration>
            """);
        Run(["build", Path.Combine(here, $"{name}.csproj"), "-c", "Release", "-nologo", "-v:q", "-nodeReuse:false", "-p:UseSharedCompilation=false"]);
        var output = Path.Combine(here, "bin/Release/net10.0");
        Assert.Equal(["linux-x64"], Directory.GetDirectories(Path.Combine(output, "runtimes")).Select(Path.GetFileName));
        return Path.Combine(output, $"{name}.dll");
    }

    /// <param name="program">Another than dotnet.</param>
    public string Run(IReadOnlyList<string> arguments, string input = "", int code = 0, string? program = null)
    {
        using var process = Start(program ?? Environment.ProcessPath!, arguments, []);
        var errors = process.StandardError.ReadToEndAsync();
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == code, $"{string.Join(' ', arguments)}: exit code {process.ExitCode}\n{output}\n{errors.Result}");
        return output + errors.Result;
    }

    /// <param name="variables">Of the environment, beside the present ones.</param>
    public Process Start(IReadOnlyList<string> arguments, params IReadOnlyList<(string Name, string Value)> variables) =>
        Start(Environment.ProcessPath!, arguments, variables);

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    private Process Start(string program, IReadOnlyList<string> arguments, IReadOnlyList<(string Name, string Value)> variables)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = Folder, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };

        // The package must not stay in the cache of packages, where the next one of the same version would not replace it.
        start.Environment["NUGET_FALLBACK_PACKAGES"] = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget/packages");
        start.Environment["NUGET_PACKAGES"] = Path.Combine(Folder, "packages");
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }
}
