using System.Formats.Tar;

namespace Fovea.Data.Readers;

/// <summary>Goes through the files of an uncompressed tar archive without reading what is in them.</summary>
/// <param name="stream">At the beginning of an archive, or of a member of one.</param>
/// <param name="path">How messages call the archive.</param>
internal sealed class TarArchive(Stream stream, string path)
{
    private const int Block = 512;

    /// <summary>Where the last member that was given began, with everything that belongs to it.</summary>
    internal long MemberStart { get; private set; }

    /// <summary>Where its bytes end, filled up to whole blocks.</summary>
    internal long MemberEnd { get; private set; }

    /// <summary>The regular files, in order.</summary>
    /// <exception cref="ConfigException">The archive is damaged or cut off; names the place.</exception>
    internal IEnumerable<TarEntry> Files()
    {
        using var reader = new TarReader(stream, leaveOpen: true);
        while (Next(reader) is { } entry)
        {
            if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile)
            {
                yield return entry;
            }
        }
    }

    /// <summary>Behind the last file: archives end with blocks of zeros, and nothing follows.</summary>
    /// <exception cref="ConfigException">The end is missing, or more follows.</exception>
    internal void CheckEnd()
    {
        stream.Position = MemberEnd;
        var buffer = new byte[1 << 16];
        var zeros = 0L;
        for (int read; (read = stream.Read(buffer)) > 0; zeros += read)
        {
            var other = buffer.AsSpan(0, read).IndexOfAnyExcept((byte)0);
            if (other >= 0)
            {
                throw Problem($"more follows its end at byte {MemberEnd + zeros + other:N0}: archives that were joined must be given as files of their own");
            }
        }

        if (zeros < Block)
        {
            throw Problem("is cut off: the end mark is missing; copy or download it again");
        }
    }

    private ConfigException Problem(string problem) => new($"data file {path}{(problem.StartsWith("is", StringComparison.Ordinal) ? " " : ": ")}{problem}");

    private TarEntry? Next(TarReader reader)
    {
        TarEntry? entry;
        try
        {
            entry = reader.GetNextEntry();
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException or ArgumentException or OverflowException)
        {
            throw Problem(MemberEnd == 0
                ? $"is no tar archive, or its beginning is damaged: {e.Message}"
                : $"is damaged or cut off behind byte {MemberEnd:N0}: {e.Message}; copy or download it again");
        }

        if (entry is null)
        {
            return null;
        }

        MemberStart = MemberEnd;
        if (entry.EntryType == TarEntryType.GlobalExtendedAttributes)
        {
            MemberEnd = (stream.Position + Block - 1) / Block * Block; // read already, with what is in it
            return entry;
        }

        var end = entry.Length == 0 ? Math.Max(entry.DataOffset, MemberEnd + Block) : entry.DataOffset + entry.Length;
        if (end > stream.Length)
        {
            throw Problem($"is cut off: {entry.Name} goes up to byte {end:N0}, and the file has {stream.Length:N0}; copy or download it again");
        }

        MemberEnd = (end + Block - 1) / Block * Block;
        return entry;
    }
}
