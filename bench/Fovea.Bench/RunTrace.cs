using System.Text.Json;
using Fovea.Nn;

namespace Fovea.Bench;

/// <summary>Reads the trace that <c>profile: true</c> writes.</summary>
internal static class RunTrace
{
    /// <summary>The span in which the training thread waits for the next step's data.</summary>
    public const string WaitForData = "wait for data";

    /// <summary>The spans in the order in which they ended.</summary>
    public static IReadOnlyList<TraceSpan> Read(string path)
    {
        using var trace = JsonDocument.Parse(File.ReadAllBytes(path));
        return
        [
            .. trace.RootElement.GetProperty("traceEvents").EnumerateArray().Where(e => e.GetProperty("ph").GetString() == "X").Select(e => new TraceSpan(
                e.GetProperty("name").GetString()!,
                e.GetProperty("tid").GetInt32(),
                e.GetProperty("ts").GetDouble() / 1e6,
                e.GetProperty("dur").GetDouble() / 1e6,
                e.GetProperty("cat").GetString() == Profile.Collective)),
        ];
    }
}
