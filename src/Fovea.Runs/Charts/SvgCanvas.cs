using System.Globalization;
using System.Security;
using System.Text;

namespace Fovea.Runs.Charts;

/// <summary>Draws a chart as SVG 1.1.</summary>
internal sealed class SvgCanvas(int width, int height) : ICanvas
{
    private readonly StringBuilder body = new();

    public void Fill(double x, double y, double width, double height, Rgb colour, double alpha = 1) =>
        Add($"<rect x=\"{N(x)}\" y=\"{N(y)}\" width=\"{N(width)}\" height=\"{N(height)}\" fill=\"{colour}\"{Opacity("fill-opacity", alpha)}/>");

    public void Polyline(IReadOnlyList<(double X, double Y)> points, Rgb colour, double width, double alpha = 1)
    {
        var path = string.Join(' ', points.Select(point => $"{N(point.X)},{N(point.Y)}"));
        Add($"<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{N(width)}\"{Opacity("stroke-opacity", alpha)}"
            + " stroke-linejoin=\"round\" stroke-linecap=\"round\"/>");
    }

    public void Text(double x, double y, string text, double size, Rgb colour, TextAnchor anchor = TextAnchor.Start, bool upward = false, bool bold = false)
    {
        var turn = upward ? $" transform=\"rotate(-90 {N(x)} {N(y)})\"" : string.Empty;
        var weight = bold ? " font-weight=\"600\"" : string.Empty;
        Add($"<text x=\"{N(x)}\" y=\"{N(y)}\" font-size=\"{N(size)}\" fill=\"{colour}\" text-anchor=\"{anchor.ToString().ToLowerInvariant()}\"{weight}{turn}>"
            + $"{SecurityElement.Escape(text)}</text>");
    }

    public double Measure(string text, double size) => 0.55 * size * text.Length;

    public override string ToString() =>
        $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" "
        + $"font-family=\"DejaVu Sans, Verdana, Helvetica, Arial, sans-serif\">\n{body}</svg>\n";

    private static string N(double value) => Math.Round(value, 2).ToString(CultureInfo.InvariantCulture);

    private static string Opacity(string name, double alpha) => alpha < 1 ? $" {name}=\"{N(alpha)}\"" : string.Empty;

    private void Add(string element) => body.Append(element).Append('\n');
}
