using System.Text.Json;
using Fovea.AspNetCore.Media;

namespace Fovea.AspNetCore.Http;

/// <summary>A body of <c>/v1/chat/completions</c>.</summary>
internal sealed record ChatRequest(string Model, GenerationOptions Options, StreamFields Stream, bool Limited, IReadOnlyList<ChatMessage> Messages)
{
    // They say who asks or how to bill: no answer depends on them.
    private static readonly string[] Ignored = ["user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"];

    private static readonly string[] Refused =
    [
        "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "audio", "modalities", "prediction", "reasoning_effort", "verbosity",
        "web_search_options", "store", "moderation",
    ];

    /// <param name="json">The body.</param>
    /// <param name="standard">The model's own settings.</param>
    /// <exception cref="ApiException">Names the first field that is wrong, unknown or not supported.</exception>
    public static ChatRequest Read(JsonElement json, GenerationOptions standard)
    {
        var fields = new Fields(json, string.Empty);
        var model = fields.Need("model");
        fields.Refuse(Refused);
        fields.Ignore(Ignored);
        if (fields.Text("service_tier") is not (null or "auto" or "default"))
        {
            throw ApiException.Unsupported("service_tier", "there is one tier");
        }

        var options = GenerationFields.Read(fields, standard, out var limited);
        var (logprobs, top) = (fields.Flag("logprobs") ?? false, fields.Int("top_logprobs", 0, 20));
        if (top is not null && !logprobs)
        {
            throw ApiException.Invalid("top_logprobs", "needs logprobs: true");
        }

        var stream = StreamFields.Read(fields);
        var messages = fields.List("messages") is { Count: > 0 } list ? list : throw ApiException.Invalid("messages", "must be a list of at least one message");
        fields.End();
        return new(
            model, options with { Logprobs = logprobs, TopLogprobs = top ?? 0 }, stream, limited,
            [.. messages.Select(message => ChatMessage.Read(message.Value, message.Place))]);
    }

    /// <summary>The conversation, its images fetched.</summary>
    public async Task<ServedRequest> Resolve(MediaReader media, int mostImages, CancellationToken cancel)
    {
        var images = Messages.SelectMany(message => message.Parts).Where(part => part.Url is not null).ToList();
        if (images.Count > mostImages)
        {
            throw ApiException.Invalid("messages", $"hold {images.Count} images, and the server takes at most {mostImages}");
        }

        var (messages, low) = (new List<Message>(), new List<MediaSource>());
        foreach (var message in Messages)
        {
            var parts = new List<Part>();
            foreach (var part in message.Parts)
            {
                if (part.Url is null)
                {
                    parts.Add(new Text(part.Text!));
                    continue;
                }

                var source = await media.Read(part.Url, part.Place, cancel).ConfigureAwait(false);
                parts.Add(new Image(source));
                if (part.Low)
                {
                    low.Add(source);
                }
            }

            messages.Add(new Message(message.Role, parts));
        }

        return ServedRequest.Of(messages) with { Options = Options, FitsWhole = Limited, LowDetail = low };
    }
}
