using Microsoft.AspNetCore.Http;

namespace Fovea.Board.Http;

/// <summary>A page, script or style of the board itself, which travels in the assembly.</summary>
internal sealed class WebFile
{
    private readonly byte[] content;
    private readonly string type;

    private WebFile(string path, string name, string type)
    {
        (Path, this.type) = (path, $"{type}; charset=utf-8");
        using var stream = typeof(WebFile).Assembly.GetManifestResourceStream($"Fovea.Board.Web.{name}")
            ?? throw new InvalidOperationException($"{name} is missing in Fovea.Board");
        content = new byte[stream.Length];
        stream.ReadExactly(content);
    }

    public static IReadOnlyList<WebFile> All { get; } =
    [
        new("/", "board.html", "text/html"), new("/board.css", "board.css", "text/css"), new("/board.js", "board.js", "text/javascript"),
        new("/chart.js", "chart.js", "text/javascript"), new("/page.js", "page.js", "text/javascript"), new("/run.js", "run.js", "text/javascript"),
        new("/compare.js", "compare.js", "text/javascript"), new("/list.js", "list.js", "text/javascript"),
        new("/ask.js", "ask.js", "text/javascript"), new("/new.js", "new.js", "text/javascript"), new("/yaml.js", "yaml.js", "text/javascript"),
        new("/work.js", "work.js", "text/javascript"), new("/plan.js", "plan.js", "text/javascript"), new("/samples.js", "samples.js", "text/javascript"),
    ];

    public string Path { get; }

    public Task Send(HttpContext context) => Replies.Send(context, type, content);
}
