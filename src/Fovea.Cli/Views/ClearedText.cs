using Spectre.Console;
using Spectre.Console.Rendering;

namespace Fovea.Cli.Views;

/// <summary>
/// Text each of whose lines clears the terminal's before it is written. Spectre puts what is printed where a live display began, without clearing what
/// the display has drawn there: a shorter line would run into the rest of the bar.
/// </summary>
internal sealed class ClearedText(string text, Style style) : IRenderable
{
    private static readonly Segment ClearLine = Segment.Control("\u001b[2K");

    private readonly IRenderable text = new Spectre.Console.Text(text, style);

    public Measurement Measure(RenderOptions options, int maxWidth) => text.Measure(options, maxWidth);

    public IEnumerable<Segment> Render(RenderOptions options, int maxWidth) =>
        Segment.SplitLines(text.Render(options, maxWidth)).SelectMany(line => Enumerable.Prepend(line, ClearLine).Append(Segment.LineBreak));
}
