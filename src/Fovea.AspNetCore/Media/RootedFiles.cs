using Fovea.AspNetCore.Http;

namespace Fovea.AspNetCore.Media;

/// <summary>Files below one folder. What lies outside, or a link leads out to, is told the same as what is not there.</summary>
internal sealed class RootedFiles
{
    private readonly string root;
    private readonly int mostBytes;

    public RootedFiles(string root, int mostBytes) => (this.root, this.mostBytes) = (Real(Path.GetFullPath(root)), mostBytes);

    /// <param name="url">A file URL: <c>file:///absolute/path</c>, or <c>file:path</c> from the folder on.</param>
    public byte[] Read(string url, string place)
    {
        var path = url["file:".Length..];
        if (path.StartsWith("//localhost/", StringComparison.OrdinalIgnoreCase))
        {
            path = path["//localhost".Length..];
        }
        else if (path.StartsWith("///", StringComparison.Ordinal))
        {
            path = path[2..];
        }
        else if (path.StartsWith("//", StringComparison.Ordinal))
        {
            throw ApiException.Invalid(place, "a file URL names no other machine");
        }

        try
        {
            var full = Path.GetFullPath(Path.Combine(root, Uri.UnescapeDataString(path)));
            if (IsBelow(full) && IsBelow(Real(full)) && (File.GetAttributes(full) & (FileAttributes.Directory | FileAttributes.Device)) == 0)
            {
                return ReadOpened(full, place);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            // As for what is outside.
        }

        throw ApiException.Invalid(place, "there is no such file below the server's media folder");
    }

    private byte[] ReadOpened(string full, string place)
    {
        using var file = new FileStream(full, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);

        // Somebody may have put a link there since: what counts is what has been opened.
        var opened = new FileInfo($"/proc/self/fd/{file.SafeFileHandle.DangerousGetHandle()}");
        if (opened.LinkTarget is { } target && !IsBelow(target))
        {
            throw new IOException("outside");
        }

        if (file.Length > mostBytes)
        {
            throw ApiException.Invalid(place, $"the image has more than {mostBytes} bytes");
        }

        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }

    private bool IsBelow(string path) => path.StartsWith(root.EndsWith('/') ? root : root + "/", StringComparison.Ordinal);

    // Every link on the way is followed.
    private static string Real(string path)
    {
        const int mostLinks = 40;
        var (done, left, links) = ("/", new Stack<string>(path.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse()), 0);
        while (left.TryPop(out var name))
        {
            if (name == "..")
            {
                done = Path.GetDirectoryName(done) ?? "/";
                continue;
            }

            var next = Path.Combine(done, name);
            if (name == "." || new FileInfo(next).LinkTarget is not { } target)
            {
                done = name == "." ? done : next;
                continue;
            }

            if (++links > mostLinks)
            {
                throw new IOException("too many links");
            }

            done = target.StartsWith('/') ? "/" : done;
            foreach (var part in target.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse())
            {
                left.Push(part);
            }
        }

        return done;
    }
}
