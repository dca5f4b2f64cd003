using System.Text.Json;

namespace Fovea.AspNetCore.Http;

/// <summary>A message of a body, its images not read yet.</summary>
internal sealed record ChatMessage(Role Role, IReadOnlyList<ChatPart> Parts)
{
    /// <exception cref="ApiException">Names the place of what is wrong.</exception>
    public static ChatMessage Read(JsonElement json, string place)
    {
        var fields = new Fields(json, place);
        var role = fields.Need("role") switch
        {
            "system" or "developer" => Role.System,
            "user" => Role.User,
            "assistant" => Role.Assistant,
            "tool" or "function" => throw ApiException.Unsupported(fields.Place("role"), "the server calls no tools"),
            _ => throw ApiException.Invalid(fields.Place("role"), "must be system, developer, user or assistant"),
        };
        fields.Ignore("name"); // no template has a place for it
        fields.Refuse("tool_calls", "function_call", "tool_call_id", "audio", "refusal", "annotations");
        var content = fields.Take("content") ?? throw ApiException.Invalid(fields.Place("content"), "is missing");
        var parts = content.ValueKind == JsonValueKind.String ? [new ChatPart(content.GetString(), null, false, fields.Place("content"))]
            : ReadParts(content, fields.Place("content"));
        fields.End();
        if (role != Role.User && parts.FirstOrDefault(part => part.Url is not null) is { } image)
        {
            throw ApiException.Unsupported(image.Place, "images belong to messages of the user");
        }

        return new(role, parts);
    }

    private static List<ChatPart> ReadParts(JsonElement content, string place)
    {
        if (content.ValueKind != JsonValueKind.Array)
        {
            throw ApiException.Invalid(place, "must be a text or a list of parts");
        }

        return [.. content.EnumerateArray().Select((part, i) => ReadPart(new Fields(part, $"{place}[{i}]"), $"{place}[{i}]"))];
    }

    private static ChatPart ReadPart(Fields fields, string place)
    {
        ChatPart part;
        switch (fields.Need("type"))
        {
            case "text":
                part = new(fields.Need("text"), null, false, place);
                break;
            case "image_url":
                var image = fields.Object("image_url") ?? throw ApiException.Invalid(fields.Place("image_url"), "is missing");
                var low = image.Text("detail") switch
                {
                    null or "auto" or "high" => false,
                    "low" => true,
                    _ => throw ApiException.Invalid(image.Place("detail"), "must be auto, low or high"),
                };
                part = new(null, image.Need("url"), low, image.Place("url"));
                image.End();
                break;
            case "input_audio" or "file" or "video_url" or "input_file" or "refusal":
                throw ApiException.Unsupported(fields.Place("type"), "text and image_url are");
            default:
                throw ApiException.Invalid(fields.Place("type"), "must be text or image_url");
        }

        fields.End();
        return part;
    }
}
