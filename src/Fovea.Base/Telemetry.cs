using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Fovea;

/// <summary>
/// What runs and servers show to whoever listens to .NET's activities and meters, OpenTelemetry among them. Names are in docs/telemetry.md. Nothing is made
/// where nobody listens.
/// </summary>
internal static class Telemetry
{
    /// <summary>Name of the source of spans and of the meter.</summary>
    public const string Name = "Fovea";

    private static readonly string? Version = typeof(Telemetry).Assembly.GetName().Version?.ToString(3);

    public static ActivitySource Source { get; } = new(Name, Version);

    /// <summary>One span a step: a source of its own, because that many are wanted rarely.</summary>
    public static ActivitySource Steps { get; } = new("Fovea.Steps", Version);

    /// <summary>Instruments of training; a server has a meter of the same name, whose scope it is.</summary>
    public static Meter Meter { get; } = new(Name, Version);

    /// <summary>Does something within a span, which shows it if it fails.</summary>
    /// <param name="work">Receives the span, or null where nobody listens.</param>
    public static T Span<T>(string name, Func<Activity?, T> work)
    {
        using var span = Source.StartActivity(name);
        try
        {
            return work(span);
        }
        catch (Exception e)
        {
            Failed(span, e);
            throw;
        }
    }

    /// <summary>Says of a span why it failed; a cancelled one has no failure.</summary>
    public static void Failed(Activity? span, Exception e)
    {
        if (span is null)
        {
            return;
        }

        span.SetTag("error.type", e is OperationCanceledException ? "cancelled" : e.GetType().FullName);
        if (e is not OperationCanceledException)
        {
            span.SetStatus(ActivityStatusCode.Error, e.Message);
        }
    }
}
