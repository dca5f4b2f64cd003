using Microsoft.Extensions.Logging;

namespace Fovea.Cli.Views;

/// <summary>Log messages as lines of their own.</summary>
internal sealed class ErrorLog(TextWriter to) : ILoggerProvider
{
    public ILogger CreateLogger(string categoryName) => new Lines(to);

    public void Dispose()
    {
    }

    private sealed class Lines(TextWriter to) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var level = logLevel switch
            {
                LogLevel.Error or LogLevel.Critical => "error: ",
                LogLevel.Warning => "warning: ",
                _ => string.Empty,
            };
            var line = $"{level}{formatter(state, exception)}{(exception is null ? string.Empty : $": {exception.GetType().Name}: {exception.Message}")}";
            lock (to)
            {
                to.WriteLine(line.ReplaceLineEndings(" "));
            }
        }
    }
}
