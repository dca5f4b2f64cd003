using Microsoft.Extensions.Logging;

namespace Fovea.Serving;

/// <summary>
/// What a server logs, with ids and named values that stay the same from version to version; ids go on from those of runs. Neither questions nor answers are
/// in it, so of a request that is refused it holds the kind of the reason alone.
/// </summary>
internal sealed partial class ServerLog(ILogger logger)
{
    [LoggerMessage(20, LogLevel.Information, "Loading {Folder}")]
    public partial void Loading(string folder);

    [LoggerMessage(21, LogLevel.Information, "Ready: {Model} on {Device}, adapters {Adapters}, at most {MaxTokens} tokens")]
    public partial void Ready(string model, string device, string adapters, int maxTokens);

    [LoggerMessage(22, LogLevel.Information, "Request for {Model} refused: {Reason}")]
    public partial void Refused(string model, string reason);

    [LoggerMessage(23, LogLevel.Error, "Request for {Model} failed")]
    public partial void Failed(Exception e, string model);

    [LoggerMessage(24, LogLevel.Information, "Draining: {Answers} answers are under way or wait")]
    public partial void Draining(int answers);

    [LoggerMessage(25, LogLevel.Information, "Drained")]
    public partial void Drained();
}
