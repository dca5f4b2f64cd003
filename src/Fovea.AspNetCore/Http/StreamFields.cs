namespace Fovea.AspNetCore.Http;

/// <summary>Whether an answer comes in pieces, and with what.</summary>
/// <param name="Stream">Server-sent events.</param>
/// <param name="Usage">A last event with the number of tokens.</param>
internal sealed record StreamFields(bool Stream, bool Usage)
{
    public static StreamFields Read(Fields fields)
    {
        var stream = fields.Flag("stream") ?? false;
        if (fields.Object("stream_options") is not { } options)
        {
            return new(stream, false);
        }

        if (!stream)
        {
            throw ApiException.Invalid("stream_options", "is for stream: true");
        }

        var usage = options.Flag("include_usage") ?? false;
        options.Refuse("include_obfuscation");
        options.End();
        return new(stream, usage);
    }
}
