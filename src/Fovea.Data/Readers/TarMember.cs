namespace Fovea.Data.Readers;

/// <summary>A file of an archive, by WebDataset's reading of its name: all before the first dot of the last part is the sample's key.</summary>
/// <param name="Key">The folder and the name up to its first dot.</param>
/// <param name="Extension">The rest of the name, in small letters.</param>
/// <param name="Offset">Where its bytes begin in the archive.</param>
internal sealed record TarMember(string Name, string Key, string Extension, long Offset, long Length)
{
    /// <summary>The last part of the extension, which says what kind of file it is: <c>left.jpg</c> is a JPEG.</summary>
    internal string Kind => Extension[(Extension.LastIndexOf('.') + 1)..];

    /// <summary>Null for a name that belongs to no sample: hidden files, names without a dot, and what WebDataset takes for its own.</summary>
    internal static TarMember? Of(string name, long offset, long length)
    {
        name = name.StartsWith("./", StringComparison.Ordinal) ? name[2..] : name;
        var file = name.LastIndexOf('/') + 1;
        var dot = name.IndexOf('.', file);
        var isMeta = name[file..].StartsWith("__", StringComparison.Ordinal);
        return dot <= file || dot == name.Length - 1 || isMeta ? null : new TarMember(name, name[..dot], name[(dot + 1)..].ToLowerInvariant(), offset, length);
    }
}
