using System.Globalization;
using System.Text;
using Fovea.Evaluation.Objects;

namespace Fovea.Evaluation.Report;

/// <summary>Boxes and points drawn over a picture.</summary>
internal static class MarkSvg
{
    private const int Dot = 4;

    /// <param name="width">Of the picture as it is shown.</param>
    /// <param name="height">Of the picture as it is shown.</param>
    public static void Write(StringBuilder html, IEnumerable<ObjectMark> marks, int width, int height)
    {
        html.Append(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {width} {height}\">");
        foreach (var mark in marks.OrderByDescending(mark => mark.IsExpected))
        {
            var kind = mark.IsExpected ? "wanted" : "given";
            var (x, y) = (Math.Clamp(mark.Shares[0], 0, 1) * width, Math.Clamp(mark.Shares[1], 0, 1) * height);
            if (mark.Shares.Count == 4)
            {
                var (right, bottom) = (Math.Clamp(mark.Shares[2], 0, 1) * width, Math.Clamp(mark.Shares[3], 0, 1) * height);
                html.Append(CultureInfo.InvariantCulture, $"<rect class=\"{kind}\" x=\"{x:0.##}\" y=\"{y:0.##}\"");
                html.Append(CultureInfo.InvariantCulture, $" width=\"{right - x:0.##}\" height=\"{bottom - y:0.##}\"><title>");
                html.Append(HtmlText.Escape(mark.Title)).Append("</title></rect>");
            }
            else
            {
                html.Append(CultureInfo.InvariantCulture, $"<circle class=\"{kind}\" cx=\"{x:0.##}\" cy=\"{y:0.##}\" r=\"{Dot}\"><title>");
                html.Append(HtmlText.Escape(mark.Title)).Append("</title></circle>");
            }
        }

        html.Append("</svg>");
    }
}
