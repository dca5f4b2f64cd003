namespace Fovea.Files.Pickle;

/// <summary>A stored (uncompressed) member of a zip file; <paramref name="Offset"/> is where its bytes begin in the file.</summary>
internal sealed record ZipEntry(string Name, long Offset, long Length, uint Crc);
