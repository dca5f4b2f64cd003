using System.Text.Json;

namespace Fovea.Data.Streaming;

/// <summary>The file of a checkpoint that says where its stream stands.</summary>
internal static class StreamStateFile
{
    public const string FileName = "stream_state.json";

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, Converters = { new RowPlaceJson() } };

    public static void Write(string folder, StreamState state) =>
        AtomicFile.WriteText(Path.Combine(folder, FileName), JsonSerializer.Serialize(state, Json));

    /// <summary>Whether a checkpoint was made with streaming.</summary>
    public static bool IsIn(string checkpoint) => File.Exists(Path.Combine(checkpoint, FileName));

    /// <exception cref="ConfigException">The checkpoint was made without streaming, or the file is damaged.</exception>
    public static StreamState Read(string checkpoint)
    {
        var path = Path.Combine(checkpoint, FileName);
        if (!File.Exists(path))
        {
            throw new ConfigException($"resume_from_checkpoint: {checkpoint} was made without streaming: true, this run has it: it would not be the same run");
        }

        using var json = JsonFile.ReadObject(path);
        try
        {
            var state = json.RootElement.Deserialize<StreamState>(Json);
            return state is { Mix.Cursors: not null, Buffer: { Waiting: not null, Random: not null }, Files: not null } ? state
                : throw new JsonException("something of it is missing");
        }
        catch (Exception e) when (e is JsonException or OverflowException)
        {
            throw new ConfigException($"resume_from_checkpoint: {path} is damaged: {e.Message}");
        }
    }
}
