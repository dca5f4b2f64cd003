using System.Text;

namespace Fovea;

/// <summary>
/// The one way to open what a user wrote: UTF-8 with or without a byte order mark. UTF-16 and UTF-32 are refused with what to do, bytes that are not
/// UTF-8 with line and byte, so that no character is ever replaced silently; a folder, a missing or an unreadable file is said in words.
/// </summary>
internal static class TextFile
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The whole text, without the mark.</summary>
    /// <param name="hint">What the file is for and how to name another, where it cannot be opened.</param>
    /// <exception cref="ConfigException">It cannot be opened or is not UTF-8; names file and place.</exception>
    public static string Read(string path, string? hint = null) => Utf8.GetString(ReadBytes(path, hint).Span);

    /// <summary>The lines of a text, without their ends.</summary>
    /// <exception cref="ConfigException">As <see cref="Read"/>.</exception>
    public static IReadOnlyList<string> Lines(string path, string? hint = null)
    {
        using var reader = new StringReader(Read(path, hint));
        var lines = new List<string>();
        while (reader.ReadLine() is { } line)
        {
            lines.Add(line);
        }

        return lines;
    }

    /// <summary>The whole text as checked UTF-8, without the mark.</summary>
    /// <exception cref="ConfigException">As <see cref="Read"/>.</exception>
    public static ReadOnlyMemory<byte> ReadBytes(string path, string? hint = null)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (IsUnreadable(e))
        {
            throw new ConfigException($"{path} {WhyNot(path, e)}{(hint is null ? string.Empty : $"; {hint}")}");
        }

        return Check(bytes, path);
    }

    /// <summary>What was read already, checked.</summary>
    /// <param name="name">How messages call it.</param>
    /// <param name="from">Where it begins, as messages count; null is at line 1.</param>
    /// <exception cref="ConfigException">It is not UTF-8, or holds a NUL byte.</exception>
    public static ReadOnlyMemory<byte> Check(ReadOnlyMemory<byte> bytes, string? name, TextPlace? from = null)
    {
        var check = new Utf8Check(name, from);
        check.Next(bytes.Span);
        check.End();
        return bytes[Utf8Check.MarkLength(bytes.Span)..];
    }

    /// <summary>A text of any length; reading it is checked as it goes.</summary>
    /// <exception cref="ConfigException">It cannot be opened. Reading throws the same where a place is not UTF-8.</exception>
    public static StreamReader Open(string path, string? hint = null)
    {
        try
        {
            return Open(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete), path);
        }
        catch (Exception e) when (IsUnreadable(e))
        {
            throw new ConfigException($"{path} {WhyNot(path, e)}{(hint is null ? string.Empty : $"; {hint}")}");
        }
    }

    /// <summary>The same from a stream, for instance standard input.</summary>
    public static StreamReader Open(Stream stream, string name) =>
        new(new CheckedStream(stream, new Utf8Check(name)), Utf8, detectEncodingFromByteOrderMarks: false);

    /// <summary>Whether an exception says that a file cannot be opened or read.</summary>
    public static bool IsUnreadable(Exception e) => e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException;

    /// <summary>Why a path cannot be opened as a file, in words that follow its name.</summary>
    public static string WhyNot(string path, Exception e)
    {
        if (path.Length == 0 || path.Contains('\0'))
        {
            return "is not the name of a file";
        }

        if (Directory.Exists(path))
        {
            return "is a folder, where a file is needed: name the file in it";
        }

        // File.Exists is true of a link that leads nowhere.
        if (e is FileNotFoundException or DirectoryNotFoundException && new FileInfo(path).LinkTarget is { } target)
        {
            return $"is a link to {target}, which does not exist: copy or download what it stands for";
        }

        var folder = Path.GetDirectoryName(Path.GetFullPath(path));
        return e switch
        {
            FileNotFoundException or DirectoryNotFoundException when !Directory.Exists(folder) => $"cannot be read: it is missing, there is no folder {folder}",
            FileNotFoundException or DirectoryNotFoundException => "cannot be read: it is missing",
            UnauthorizedAccessException => "may not be read by this user (see its permissions with ls -l)",
            _ => $"cannot be read: {e.Message}",
        };
    }

    private sealed class CheckedStream(Stream inner, Utf8Check check) : Stream
    {
        private readonly byte[] head = new byte[4];
        private int held = -1;
        private int given;
        private bool ended;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            if (held < 0)
            {
                // The first bytes tell the encoding and must be seen together, however slowly they come. A terminal's line has more than four.
                held = 0;
                for (var read = 1; held < head.Length && read > 0 && !(held > 0 && head[held - 1] == '\n'); held += read)
                {
                    read = inner.Read(head, held, head.Length - held);
                }

                check.Next(head.AsSpan(0, held));
                given = Utf8Check.MarkLength(head.AsSpan(0, held));
            }

            if (given < held)
            {
                var some = Math.Min(held - given, buffer.Length);
                head.AsSpan(given, some).CopyTo(buffer);
                given += some;
                return some;
            }

            var count = inner.Read(buffer);
            if (count > 0)
            {
                check.Next(buffer[..count]);
            }
            else if (!ended && buffer.Length > 0)
            {
                ended = true;
                check.End();
            }

            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                inner.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
