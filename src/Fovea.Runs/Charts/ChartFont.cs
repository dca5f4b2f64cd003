using ScottPlot;
using SkiaSharp;

namespace Fovea.Runs.Charts;

/// <summary>
/// The font of the charts, which travels inside this assembly: a bare machine has neither fonts nor fontconfig. It is added to those that ScottPlot
/// knows and answers to its own name only, so a program that draws charts of its own keeps its fonts.
/// </summary>
internal sealed class ChartFont : IFontResolver
{
    public const string Name = "DejaVu Sans";

    private static readonly Lazy<ChartFont> Registered = new(() =>
    {
        var font = new ChartFont();
        Fonts.FontResolvers.Insert(0, font);
        return font;
    });

    private readonly SKTypeface typeface = Load();

    /// <summary>Makes ScottPlot find the font. The first call loads Skia.</summary>
    public static void Register() => _ = Registered.Value;

    public SKTypeface? CreateTypeface(string fontName, FontWeight weight, FontSlant slant, FontSpacing spacing) => fontName == Name ? typeface : null;

    public SKTypeface? CreateTypeface(string fontName, bool bold, bool italic) => fontName == Name ? typeface : null;

    private static SKTypeface Load()
    {
        using var stream = typeof(ChartFont).Assembly.GetManifestResourceStream("Fovea.Runs.Charts.DejaVuSans.ttf")
            ?? throw new InvalidOperationException("the font of the charts is missing in Fovea.Runs");
        return SKTypeface.FromStream(stream) ?? throw new InvalidOperationException("Skia cannot read the font of the charts");
    }
}
