using System.Diagnostics;
using System.IO.Compression;

namespace Fovea.Tests.House;

/// <summary>
/// A borrowed machine with a GPU takes 64 MiB, and 62 are used: what is under version control and the pack of eng/gpu-bench.sh. The pack itself is made,
/// and its true sum checked, by that script; here it is bounded by a faster compression.
/// </summary>
public sealed class PackTests
{
    private const double Limit = 62;
    private const double Mebibyte = 1 << 20;

    [Fact]
    public void Checkout_and_pack_fit_on_a_borrowed_machine_together()
    {
        TestFiles.Require(Path.Exists(Path.Combine(TestFiles.Root, ".git")), "this checkout is not under version control");
        var tracked = Lines("git", "ls-files").Select(file => new FileInfo(Path.Combine(TestFiles.Root, file))).Where(file => file.Exists)
            .Sum(file => file.Length) / Mebibyte;
        var packed = Lines("bash", "eng/gpu-bench.sh", "--pack-list").Select(line => line.Split('\t')).ToList();
        var names = packed.Select(pair => pair[1]).ToHashSet();
        Assert.Contains("managed/Fovea.Cli.dll", names);
        Assert.Contains("managed/Fovea.Bench.dll", names);
        Assert.Contains("managed/Fovea.Bench.runtimeconfig.json", names);
        Assert.Contains("managed/Fovea.Tests.dll", names);
        Assert.Contains(names, name => name.EndsWith("/libcoreclr.so", StringComparison.Ordinal));
        Assert.Contains("codecs/libturbojpeg.so.0", names);
        Assert.DoesNotContain(names, name => name.Contains("libtorch", StringComparison.Ordinal) || name.EndsWith("libmscordbi.so", StringComparison.Ordinal));

        // File by file and fast; xz, over all of it at once, makes four fifths of that (28.7 of 36.3 MiB).
        var bytes = 0.82 * packed.AsParallel().Sum(pair => Compressed(pair[0])) / Mebibyte;
        Assert.InRange(bytes, 5, Limit - tracked);
    }

    private static long Compressed(string file)
    {
        var target = new CountingStream();
        using (var brotli = new BrotliStream(target, new BrotliCompressionOptions { Quality = 5 }))
        using (var source = File.OpenRead(file))
        {
            source.CopyTo(brotli);
        }

        return target.Count;
    }

    private static string[] Lines(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = TestFiles.Root, RedirectStandardOutput = true })!;
        var text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private sealed class CountingStream : Stream
    {
        public long Count { get; private set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => Count;

        public override long Position { get => Count; set => throw new NotSupportedException(); }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => Count += count;

        public override void Write(ReadOnlySpan<byte> buffer) => Count += buffer.Length;
    }
}
