using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;

namespace Fovea.Tests.Unit.Robustness;

/// <summary>On a borrowed GPU every part of a measurement ends in time, none stops the next, and what there is comes back in two files.</summary>
public sealed class GpuPartsTests : IDisposable
{
    private const string Parts =
        """
        set -uo pipefail
        . eng/common.sh
        . eng/gpu.sh
        results_begin "$1/out" 18 "$1/results"
        part good 10 echo fine
        part bad 10 bash -c 'echo "x.cpp:1: error: broken"; seq 100; exit 7'
        part slow 6 bash -c 'echo $$ > "$0"; sleep 600 & wait' "$1/pid"
        part late 60 echo never
        results_end
        """;

    private readonly string folder = Directory.CreateTempSubdirectory("fovea-parts").FullName;

    [Fact]
    [Trait("Category", "Long")]
    public void A_part_that_fails_or_hangs_is_told_and_the_rest_goes_on()
    {
        var start = new ProcessStartInfo("bash", ["-c", Parts, "parts", folder]) { WorkingDirectory = TestFiles.Root, RedirectStandardOutput = true };
        (start.Environment["ROOT"], start.Environment["FOVEA_CACHE"]) = (TestFiles.Root, Path.Combine(folder, "cache"));
        using var process = Process.Start(start)!;
        var text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(3, process.ExitCode);
        Assert.Matches(@"good: rc 0, ", text);
        Assert.Matches(@"bad: rc 7, \d+ s\nx\.cpp:1: error: broken\n93\n", text); // the error itself, then the end
        Assert.Matches(@"slow: rc 143, [67] s\n", text);
        Assert.Matches(@"late: no time left\n", text);
        Assert.Matches(@"finished; failed: bad slow late\n", text);
        var stopped = File.ReadAllText(Path.Combine(folder, "pid")).Trim();
        Assert.False(Directory.Exists($"/proc/{stopped}"), $"process {stopped} is still there");

        var output = Path.Combine(folder, "out");
        Assert.Equal(["results.tar.gz", "summary.txt"], Directory.GetFiles(output).Select(Path.GetFileName).Order());
        Assert.Equal(text, File.ReadAllText(Path.Combine(output, "summary.txt")));
        using var zipped = new GZipStream(File.OpenRead(Path.Combine(output, "results.tar.gz")), CompressionMode.Decompress);
        using var tar = new TarReader(zipped);
        var names = new List<string>();
        while (tar.GetNextEntry() is { } entry)
        {
            names.Add(Path.GetFileName(entry.Name));
        }

        Assert.Superset(new HashSet<string> { "good.log", "bad.log", "slow.log", "summary.txt" }, names.ToHashSet());
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);
}
