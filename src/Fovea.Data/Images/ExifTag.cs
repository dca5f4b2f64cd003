using System.Buffers.Binary;

namespace Fovea.Data.Images;

/// <summary>Finds the orientation in an EXIF block (a TIFF directory, EXIF 2.32 section 4.6.2).</summary>
internal static class ExifTag
{
    private const int OrientationTag = 0x0112;
    private const int ShortType = 3;

    /// <summary>1..8; 1 (upright) where the tag is absent or makes no sense.</summary>
    public static int Orientation(ReadOnlySpan<byte> exif)
    {
        if (exif.StartsWith("Exif\0\0"u8))
        {
            exif = exif[6..];
        }

        if (exif.Length < 8 || !(exif.StartsWith("II*\0"u8) || exif.StartsWith("MM\0*"u8)))
        {
            return 1;
        }

        var little = exif[0] == 'I';
        var start = little ? BinaryPrimitives.ReadUInt32LittleEndian(exif[4..]) : BinaryPrimitives.ReadUInt32BigEndian(exif[4..]);
        if (start > exif.Length - 2)
        {
            return 1;
        }

        var count = Word(exif[(int)start..], little);
        for (var entry = 0; entry < count; entry++)
        {
            var at = start + 2 + (entry * 12L);
            if (at + 12 > exif.Length)
            {
                break;
            }

            var field = exif.Slice((int)at, 12);
            if (Word(field, little) == OrientationTag && Word(field[2..], little) == ShortType)
            {
                var value = Word(field[8..], little);
                return value is >= 1 and <= 8 ? value : 1;
            }
        }

        return 1;
    }

    private static int Word(ReadOnlySpan<byte> bytes, bool little) =>
        little ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : BinaryPrimitives.ReadUInt16BigEndian(bytes);
}
