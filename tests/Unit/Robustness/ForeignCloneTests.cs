using System.Diagnostics;

namespace Fovea.Tests.Unit.Robustness;

/// <summary>A clone or cache of somebody else: one sentence of the launcher, not the message of whichever tool writes first.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class ForeignCloneTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("fovea-foreign-").FullName;

    public void Dispose()
    {
        foreach (var folder in new[] { "artifacts", "artifacts/launcher", "cache/fovea" }.Select(name => Path.Combine(root, name)).Where(Directory.Exists))
        {
            File.SetUnixFileMode(folder, Mode(writable: true));
        }

        Directory.Delete(root, recursive: true);
    }

    [Theory]
    [InlineData("artifacts/launcher", "The clone must be writable by whoever starts it")]
    [InlineData("artifacts", "The clone must be writable by whoever starts it")]
    [InlineData("cache/fovea", "set XDG_CACHE_HOME to a folder of your own")]
    public void What_may_not_be_written_is_named_with_the_remedy(string closed, string remedy)
    {
        Copy("fovea");
        foreach (var file in Directory.GetFiles(Path.Combine(TestFiles.Root, "eng")))
        {
            Copy(Path.GetRelativePath(TestFiles.Root, file));
        }

        File.SetUnixFileMode(root, Mode(writable: true));
        foreach (var folder in new[] { "artifacts", "artifacts/launcher", "cache", "cache/fovea", "home" }.Select(name => Path.Combine(root, name)))
        {
            Directory.CreateDirectory(folder);
            File.SetUnixFileMode(folder, Mode(writable: true) | UnixFileMode.OtherWrite);
        }

        File.SetUnixFileMode(Path.Combine(root, closed), Mode(writable: false));
        var (code, output) = Run(Path.Combine(root, "fovea"), "data", "check", "x.yaml");
        Assert.True(code == 3, output);
        Assert.Contains($"{Path.Combine(root, closed)} belongs to ", output);
        Assert.Contains("cannot be written by", output);
        Assert.Contains(remedy, output);
        Assert.DoesNotContain("touch:", output);
    }

    private static UnixFileMode Mode(bool writable) => UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherExecute | (writable ? UnixFileMode.UserWrite : 0);

    private void Copy(string file)
    {
        var target = Path.Combine(root, file);
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        File.Copy(Path.Combine(TestFiles.Root, file), target);
    }

    /// <summary>Nobody may write what nobody does not own; root may write everything and has to become somebody else first.</summary>
    private (int Code, string Output) Run(params string[] command)
    {
        var start = new ProcessStartInfo(Environment.UserName == "root" ? "setpriv" : "env")
        {
            RedirectStandardError = true, RedirectStandardOutput = true, WorkingDirectory = root,
        };
        string[] before = Environment.UserName == "root" ? ["--reuid", "65534", "--regid", "65534", "--clear-groups", "bash"] : ["bash"];
        foreach (var word in before.Concat(command))
        {
            start.ArgumentList.Add(word);
        }

        start.Environment["HOME"] = Path.Combine(root, "home");
        start.Environment["XDG_CACHE_HOME"] = Path.Combine(root, "cache");
        start.Environment.Remove("FOVEA_CACHE");
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, errors + output.Result);
    }
}
