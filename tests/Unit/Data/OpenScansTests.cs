using Fovea.Data.Readers;
using Fovea.Data.Streaming;

namespace Fovea.Tests.Unit.Data;

/// <summary>Files that a stream reads rows from.</summary>
public sealed class OpenScansTests
{
    [Fact]
    public void A_file_that_could_not_be_opened_once_is_opened_for_the_next_row()
    {
        var (tries, scan) = (0, new Scan());
        using (var scans = new OpenScans(_ => ++tries <= 2 ? throw new IOException("not now") : scan))
        {
            for (var i = 0; i < 2; i++)
            {
                Assert.Equal("not now", Assert.Throws<IOException>(() => scans.Use((0, 0), _ => 1)).Message);
            }

            Assert.Equal((1, 2), (scans.Use((0, 0), _ => 1), scans.Use((0, 0), _ => 2)));
            Assert.Equal((3, false), (tries, scan.IsClosed));
        }

        Assert.True(scan.IsClosed);
    }

    private sealed class Scan : IRowScan
    {
        public bool IsClosed { get; private set; }

        public bool Next(ref long at, out long start, out int length) => throw new NotSupportedException();

        public Row Read(long start, int length) => throw new NotSupportedException();

        public void Dispose() => IsClosed = true;
    }
}
