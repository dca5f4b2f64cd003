namespace Fovea.Runs.Charts;

/// <summary>What a chart is drawn on. Pixels, the origin at the top left; alpha 0..1.</summary>
internal interface ICanvas
{
    void Fill(double x, double y, double width, double height, Rgb colour, double alpha = 1);

    /// <summary>A connected line, painted once however it crosses itself.</summary>
    void Polyline(IReadOnlyList<(double X, double Y)> points, Rgb colour, double width, double alpha = 1);

    /// <summary>Text with its baseline at y; <paramref name="upward"/> turns it by 90 degrees to read from bottom to top.</summary>
    void Text(double x, double y, string text, double size, Rgb colour, TextAnchor anchor = TextAnchor.Start, bool upward = false, bool bold = false);

    /// <summary>Width of a text in pixels.</summary>
    double Measure(string text, double size);
}
