using System.Text;

namespace Fovea.Tests.Unit.Hub;

/// <summary>What the stand-in hub answers.</summary>
internal sealed record HubReply(int Status, byte[] Body, params (string Name, string Value)[] Headers)
{
    /// <summary>The connection breaks after this many bytes of the body; null sends all.</summary>
    public int? CutAfter { get; init; }

    /// <summary>It falls silent after this many bytes of the body, until the client gives up.</summary>
    public int? SilentAfter { get; init; }

    /// <summary>Runs when this many bytes are on their way.</summary>
    public (int Bytes, Func<Task> Act)? At { get; init; }

    public static HubReply Json(string text, params (string, string)[] headers) =>
        new(200, Encoding.UTF8.GetBytes(text), [("Content-Type", "application/json"), .. headers]);

    public static HubReply Error(int status, string? code = null, string? message = null) => new(
        status, Encoding.UTF8.GetBytes("{\"error\":\"refused\"}"),
        [("Content-Type", "application/json"), .. code is null ? [] : new[] { ("X-Error-Code", code) }, .. message is null ? [] : new[] { ("X-Error-Message",
            message) }]);
}
