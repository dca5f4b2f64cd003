using System.Text;
using System.Text.Json;
using Fovea.Data.Datasets;

namespace Fovea.Data.Readers;

/// <summary>
/// The samples of a tar archive as WebDataset packs them: files that follow one another and have the same name up to the first dot are one row. A
/// <c>.json</c> file holds its fields; texts and pictures become further fields. Pictures stay in the archive and are read from there. Keeps 12 bytes a row.
/// </summary>
internal sealed class TarRowFile : IRowReader
{
    private const int MostText = 64 << 20;
    private readonly string path;
    private readonly RowPlaces places;
    private readonly TarFields fields;

    private TarRowFile(string path, DatasetColumns? columns)
    {
        this.path = path;
        places = new RowPlaces(path);
        fields = new TarFields(columns);
    }

    public int Count => places.Count;

    /// <summary>Finds the samples.</summary>
    /// <param name="columns">What a description calls the columns; null without one.</param>
    /// <exception cref="ConfigException">The file is missing, damaged, cut off, or no tar archive.</exception>
    public static TarRowFile Open(string path, DatasetColumns? columns)
    {
        var file = new TarRowFile(path, columns);
        RowBytes.Open(path).Dispose();
        using var stream = MediaSource.FromFile(path).Open();
        var head = new byte[64];
        var read = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        RowBytes.RefusePointer(path, head.AsSpan(0, read));
        if (head is [0x1F, 0x8B, ..] or [0x28, 0xB5, 0x2F, 0xFD, ..])
        {
            throw new ConfigException($"data file {path} is compressed; unpack it to a plain .tar: rows of a compressed file cannot be read in any order");
        }

        stream.Position = 0;
        file.Index(new TarArchive(stream, path));
        return file;
    }

    public string PlaceOf(int index)
    {
        try
        {
            using var stream = Stretch(index).Open();
            return $"sample {Members(stream, places[index].Start)[0].Key}";
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            return $"byte {places[index].Start:N0}";
        }
    }

    public Row Read(int index)
    {
        var start = places[index].Start;
        using var stream = Stretch(index).Open();
        var members = Members(stream, start);
        if (members.CountBy(member => member.Extension).FirstOrDefault(ending => ending.Value > 1) is { Value: > 1 } twice)
        {
            throw new JsonException($"holds {twice.Value} files with the ending .{twice.Key}");
        }

        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var member in members.Where(TarFields.IsText))
        {
            texts.Add(member.Extension, Text(stream, member, start));
        }

        return fields.Row(members, texts, member => MediaSource.FromFile(path, member.Offset, member.Length, $"{Path.GetFileName(path)}: {member.Name}"));
    }

    public void Dispose()
    {
    }

    private static string Text(Stream stream, TarMember member, long start)
    {
        if (member.Length > MostText)
        {
            throw new JsonException($"{member.Name} has {member.Length:N0} bytes; texts may have {MostText >> 20} MiB");
        }

        var bytes = new byte[member.Length];
        stream.Position = member.Offset - start;
        try
        {
            stream.ReadExactly(bytes);
            return Encoding.UTF8.GetString(TextFile.Check(bytes, member.Name).Span);
        }
        catch (ConfigException e)
        {
            throw new JsonException(e.Message);
        }
    }

    private void Index(TarArchive archive)
    {
        string? key = null;
        var (start, end) = (0L, 0L);
        foreach (var entry in archive.Files())
        {
            if (TarMember.Of(entry.Name, entry.DataOffset, entry.Length) is not { } member)
            {
                continue;
            }

            if (member.Key != key)
            {
                Add();
                (key, start) = (member.Key, archive.MemberStart);
            }

            end = archive.MemberEnd;
        }

        Add();
        archive.CheckEnd();

        void Add()
        {
            if (key is not null)
            {
                places.Add(start, end);
            }
        }
    }

    /// <summary>The row's stretch of the archive.</summary>
    private MediaSource Stretch(int index) => MediaSource.FromFile(path, places[index].Start, places[index].Length, path);

    private List<TarMember> Members(Stream stream, long start)
    {
        try
        {
            var files = new TarArchive(stream, path).Files();
            return [.. files.Select(entry => TarMember.Of(entry.Name, start + entry.DataOffset, entry.Length)).OfType<TarMember>()];
        }
        catch (ConfigException e)
        {
            throw new JsonException($"cannot be read again: {e.Message}");
        }
    }
}
