using System.IO.Compression;
using System.Runtime.CompilerServices;

namespace Fovea.Tests;

/// <summary>Where test data lies: goldens committed beside the tests, and reference data that some machines have beside the checkout.</summary>
public static class TestFiles
{
    /// <summary>The root of the checkout: where this source file lies, or what FOVEA_ROOT says when tests run elsewhere than they were built.</summary>
    public static string Root { get; } =
        Environment.GetEnvironmentVariable("FOVEA_ROOT") ?? Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, ".."));

    /// <summary>A committed golden; it must exist.</summary>
    public static string Golden(string relative)
    {
        var path = Path.Combine(Root, "tests", "goldens", relative);
        path = DrawnModel.Place(path);
        return Path.Exists(path) ? path : throw new FileNotFoundException($"the golden {relative} is missing from the checkout", path);
    }

    /// <summary>Lines of a committed golden that is text, compressed by gzip.</summary>
    public static IReadOnlyList<string> GoldenLines(string relative)
    {
        using var unpacked = new StreamReader(new GZipStream(File.OpenRead(Golden(relative)), CompressionMode.Decompress));
        return unpacked.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>Reference data beside the checkout (<c>../shared</c>), or null where it is absent.</summary>
    public static string? Shared(string relative)
    {
        var path = Path.GetFullPath(Path.Combine(Root, "..", "shared", relative));
        return Path.Exists(path) ? path : null;
    }

    /// <summary>Skips a test whose reference data is absent. Use as <c>var f = TestFiles.Shared(x) ?? TestFiles.SkipMissing(x);</c>.</summary>
    public static string SkipMissing(string relative)
    {
        Assert.Skip($"reference data {relative} is not beside this checkout");
        return string.Empty;
    }

    /// <summary>Skips a test that needs what only some machines allow.</summary>
    public static void Require(bool allowed, string reason)
    {
        if (!allowed)
        {
            Assert.Skip(reason);
        }
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
