using System.Text.Json.Serialization;

namespace Fovea.Board.Runs;

/// <summary>What has become of a run, by its files.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RunState>))]
internal enum RunState
{
    /// <summary>It has begun, has not ended, and wrote something lately.</summary>
    [JsonStringEnumMemberName("running")]
    Running,

    [JsonStringEnumMemberName("finished")]
    Finished,

    /// <summary>It was stopped on request and can go on.</summary>
    [JsonStringEnumMemberName("stopped")]
    Stopped,

    [JsonStringEnumMemberName("failed")]
    Failed,

    /// <summary>It has not ended, and nothing was heard of it for long: killed, perhaps.</summary>
    [JsonStringEnumMemberName("silent")]
    Silent,
}
