using SkiaSharp;

namespace Receipts;

/// <summary>Photographs print: paper on a table, a little turned and shifted, unevenly lit, with the grain of a small camera.</summary>
internal static class ReceiptArtist
{
    /// <summary>A letter with the space around it, in pixels: as large as a patch of the tiny model.</summary>
    public const int Letter = 14;

    private static readonly SKSamplingOptions Focus = new(SKFilterMode.Linear);

    /// <summary>A close photograph of one line.</summary>
    public static byte[] Draw(string line, Random random) => Draw([line], 0, 1, random);

    /// <summary>A photograph of a whole receipt.</summary>
    public static byte[] Draw(PrintedReceipt receipt, Random random) => Draw(receipt.Text, 1, 1 + PrintedReceipt.MostLines, random);

    private static byte[] Draw(IReadOnlyList<string> text, int firstRow, int rows, Random random)
    {
        using var photo = new SKBitmap(Letter * PrintedReceipt.LineLength, Letter * rows, SKColorType.Rgba8888, SKAlphaType.Opaque);
        using (var canvas = new SKCanvas(photo))
        {
            canvas.Clear(SKColor.FromHsv(Between(15, 40), Between(30, 60), Between(25, 50)));
            canvas.RotateDegrees(Between(-1, 1), photo.Width / 2f, photo.Height / 2f);
            canvas.Translate(Between(-1, 1), Between(-1, 1) + (Letter * firstRow));
            using var paper = Print(text, SKColor.FromHsv(45, Between(2, 10), Between(88, 98)), SKColor.FromHsv(230, 20, Between(10, 30)));
            canvas.DrawImage(paper, SKRect.Create(1 - Letter, 1 - Letter, Letter * (PrintedReceipt.LineLength + 2), Letter * (text.Count + 2)), Focus);
        }

        Light(photo.GetPixelSpan(), photo.Width, photo.Height);
        using var encoded = photo.Encode(SKEncodedImageFormat.Jpeg, 90);
        return encoded.ToArray();

        float Between(float low, float high) => low + ((high - low) * random.NextSingle());

        // A light that falls off to one side, and the noise of the sensor.
        void Light(Span<byte> pixels, int width, int height)
        {
            var (across, down, grain) = (Between(-0.15f, 0.15f), Between(-0.15f, 0.15f), Between(4, 14));
            for (var (y, i) = (0, 0); y < height; y++)
            {
                var rowLight = 0.9f + (down * (((float)y / height) - 0.5f));
                for (var x = 0; x < width; x++, i += 4)
                {
                    var light = rowLight + (across * (((float)x / width) - 0.5f));
                    var noise = grain * (random.NextSingle() - 0.5f);
                    for (var channel = i; channel < i + 3; channel++)
                    {
                        pixels[channel] = (byte)Math.Clamp((pixels[channel] * light) + noise, 0, 255);
                    }
                }
            }
        }
    }

    /// <summary>The paper, a pixel a dot, with room for a letter on each side.</summary>
    private static SKImage Print(IReadOnlyList<string> text, SKColor paper, SKColor ink)
    {
        using var sheet = new SKBitmap(PrinterFont.Columns * (PrintedReceipt.LineLength + 2), PrinterFont.Rows * (text.Count + 2));
        sheet.Erase(paper);
        for (var line = 0; line < text.Count; line++)
        {
            foreach (var (column, row) in PrinterFont.Dots(text[line]))
            {
                sheet.SetPixel(PrinterFont.Columns + column, (PrinterFont.Rows * (line + 1)) + row, ink);
            }
        }

        return SKImage.FromBitmap(sheet);
    }
}
