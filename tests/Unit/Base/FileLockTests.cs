using System.Diagnostics;

namespace Fovea.Tests.Unit.Base;

/// <summary>A lock that another has is waited for; whatever else goes wrong is no lock of another.</summary>
public sealed class FileLockTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_lock_that_another_has_is_waited_for()
    {
        var path = folder["lock"];
        var waited = 0;
        Task<FileLock> second;
        using (var first = FileLock.TryTake(path))
        {
            Assert.NotNull(first);
            Assert.Null(FileLock.TryTake(path));
            second = FileLock.Take(path, default, () => waited++);
            Assert.Equal(1, waited);
            Assert.False(second.IsCompleted);
        }

        using (await second)
        {
            Assert.Null(FileLock.TryTake(path));
        }
    }

    [Fact]
    public async Task What_cannot_be_opened_is_an_error_of_its_own()
    {
        Assert.Throws<DirectoryNotFoundException>(() => FileLock.TryTake(folder["none/lock"]));
        Directory.CreateDirectory(folder["folder"]);
        Assert.Throws<UnauthorizedAccessException>(() => FileLock.TryTake(folder["folder"]));

        // A file that is there and cannot be opened, and whose lock nobody has: a program that is running.
        var program = folder["sleep"];
        File.Copy("/bin/sleep", program);
        using var running = Process.Start(program, "60");
        try
        {
            Assert.Contains("busy", Assert.Throws<IOException>(() => FileLock.TryTake(program)).Message, StringComparison.OrdinalIgnoreCase);
            var waits = FileLock.Take(program, default, () => Assert.Fail("nobody has it"));
            Assert.Contains("busy", (await Assert.ThrowsAsync<IOException>(() => waits)).Message, StringComparison.OrdinalIgnoreCase);
        }
        finally
        {
            running.Kill();
            running.WaitForExit();
        }
    }
}
