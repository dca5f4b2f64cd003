using SkiaSharp;

namespace Fovea.Evaluation.Report;

/// <summary>Small copies of pictures as data URIs. The same picture is decoded once. For one thread.</summary>
internal sealed class Thumbnails(int side)
{
    private const int Quality = 82;
    private const int Remembered = 256;

    private readonly Dictionary<MediaSource, Thumbnail> known = [];

    /// <summary>The picture, upright, on white, no side longer than asked; one that cannot be read says why.</summary>
    public Thumbnail Of(MediaSource source)
    {
        if (!known.TryGetValue(source, out var thumbnail))
        {
            if (known.Count == Remembered)
            {
                known.Clear(); // neighbours share pictures; what lies further back rarely comes again
            }

            known[source] = thumbnail = Draw(source);
        }

        return thumbnail;
    }

    private Thumbnail Draw(MediaSource source)
    {
        try
        {
            using var data = SKData.CreateCopy(source.ReadBytes());
            using var codec = SKCodec.Create(data);
            return codec is null ? Thumbnail.Unreadable : Draw(codec);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Thumbnail(null, 0, 0, TextFile.WhyNot(source.Path ?? source.Name, e));
        }
    }

    private Thumbnail Draw(SKCodec codec)
    {
        // JPEG decodes to an eighth, a quarter ... of its size at a fraction of the cost; twice the size that is needed keeps the result sharp.
        var full = codec.Info.Size;
        var size = codec.GetScaledDimensions(Math.Min(1, 2f * side / Math.Max(full.Width, full.Height)));
        using var whole = new SKBitmap(new SKImageInfo(size.Width, size.Height, SKColorType.Rgba8888, SKAlphaType.Premul));
        if (codec.GetPixels(whole.Info, whole.GetPixels()) is not (SKCodecResult.Success or SKCodecResult.IncompleteInput))
        {
            return Thumbnail.Unreadable;
        }

        var origin = codec.EncodedOrigin;
        var turned = origin >= SKEncodedOrigin.LeftTop;
        var (width, height) = turned ? (full.Height, full.Width) : (full.Width, full.Height);
        var scale = Math.Min(1, side / (float)Math.Max(width, height));
        var (w, h) = (Math.Max(1, (int)MathF.Round(width * scale)), Math.Max(1, (int)MathF.Round(height * scale)));
        using var surface = SKSurface.Create(new SKImageInfo(w, h, SKColorType.Rgba8888, SKAlphaType.Opaque));
        surface.Canvas.Clear(SKColors.White);
        surface.Canvas.SetMatrix(Upright(origin, w, h));
        using var picture = SKImage.FromBitmap(whole);
        var place = turned ? SKRect.Create(h, w) : SKRect.Create(w, h);
        surface.Canvas.DrawImage(picture, place, new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear));
        using var drawn = surface.Snapshot();
        using var jpeg = drawn.Encode(SKEncodedImageFormat.Jpeg, Quality);
        using var png = drawn.Encode(SKEncodedImageFormat.Png, 100);
        var uri = png.Size <= jpeg.Size
            ? $"data:image/png;base64,{Convert.ToBase64String(png.AsSpan())}"
            : $"data:image/jpeg;base64,{Convert.ToBase64String(jpeg.AsSpan())}";
        return new Thumbnail(uri, w, h, null);
    }

    /// <summary>From the picture as it is stored, already at its final scale, to how it is to be seen (the eight orientations of Exif).</summary>
    private static SKMatrix Upright(SKEncodedOrigin origin, int w, int h) => origin switch
    {
        SKEncodedOrigin.TopRight => new SKMatrix(-1, 0, w, 0, 1, 0, 0, 0, 1),
        SKEncodedOrigin.BottomRight => new SKMatrix(-1, 0, w, 0, -1, h, 0, 0, 1),
        SKEncodedOrigin.BottomLeft => new SKMatrix(1, 0, 0, 0, -1, h, 0, 0, 1),
        SKEncodedOrigin.LeftTop => new SKMatrix(0, 1, 0, 1, 0, 0, 0, 0, 1),
        SKEncodedOrigin.RightTop => new SKMatrix(0, -1, w, 1, 0, 0, 0, 0, 1),
        SKEncodedOrigin.RightBottom => new SKMatrix(0, -1, w, -1, 0, h, 0, 0, 1),
        SKEncodedOrigin.LeftBottom => new SKMatrix(0, 1, 0, -1, 0, h, 0, 0, 1),
        _ => SKMatrix.Identity,
    };
}
