using Fovea.Data.Datasets;
using Fovea.Data.Images;

namespace Fovea.Data.Objects;

/// <summary>
/// Writes the names and places of a conversation's objects into its text, in the model's coordinates and form. The sizes of images come from their headers.
/// Usable from several threads at once.
/// </summary>
/// <param name="form">The family's; null where it has none.</param>
/// <param name="family">What people call it.</param>
/// <param name="media">Says to what size an image is brought.</param>
/// <param name="options">May ask for another scale or form.</param>
internal sealed class ObjectText(ObjectForm? form, string family, IMediaProcessor media, DataOptions options)
{
    private const int Thousand = 1000;

    // Rows that write JSON themselves want a list where a place goes.
    private static readonly string[] JsonKeys = ["bbox_2d\"", "point_2d\""];

    /// <summary>Whether a conversation has names or places to be written.</summary>
    public static bool IsNeeded(Conversation conversation) =>
        conversation.Messages.Any(message => message.Parts.Any(part => part is ObjectName or ObjectPlace));

    /// <summary>The conversation with all names and places as text; the same one where there are none.</summary>
    /// <exception cref="BadSampleException">A place is not in its image, the image cannot be used, or the family has no form.</exception>
    public Conversation Fill(Conversation conversation) => Fill(conversation, out _);

    /// <param name="places">All places, in order.</param>
    public Conversation Fill(Conversation conversation, out IReadOnlyList<WrittenPlace> places)
    {
        places = [];
        if (!IsNeeded(conversation))
        {
            return conversation;
        }

        var own = form ?? throw BadSampleException.Of(
            conversation, $"has names or places of objects, and {family} has no published form for them: write them into the text");
        var format = Format(conversation, own);
        var filling = new Filling(this, conversation, options.NormBbox ?? own.Scale);
        var messages = conversation.Messages.Select((message, i) => message with { Parts = filling.Parts(message, i, own, format) }).ToList();
        places = filling.Places;
        return conversation with { Messages = messages };
    }

    /// <summary>The coordinates in which the model speaks of an image.</summary>
    /// <exception cref="ConfigException">The image cannot be used, or the family has no form.</exception>
    public ObjectFrame FrameOf(MediaSource image) => Frame(
        image, options.NormBbox ?? form?.Scale ?? throw new ConfigException($"{family} has no published form for places of objects"),
        (reason, _) => new ConfigException(reason));

    private ObjectFormat Format(Conversation conversation, ObjectForm own)
    {
        if (options.BboxFormat is { } asked)
        {
            return own.KnowsJson || asked == ObjectFormat.Legacy ? asked : throw BadSampleException.Of(
                conversation, $"bbox_format: {asked.ToString().ToLowerInvariant()} is not a form of {family}, which writes {own.Write([1, 2, 3, 4])}");
        }

        var isJson = own.KnowsJson && conversation.Messages.Any(message => message.Parts.OfType<Text>().Any(text =>
            Array.Exists(JsonKeys, key => text.Value.Contains(key, StringComparison.Ordinal))));
        return isJson ? ObjectFormat.New : ObjectFormat.Legacy;
    }

    private ObjectFrame Frame(MediaSource image, BoxScale scale, Func<string, Exception?, FoveaException> bad)
    {
        MediaHeader header;
        MediaPlan? plan;
        try
        {
            header = ImageReader.ReadHeader(image);
            plan = scale == BoxScale.None ? media.Plan(header) : null;
        }
        catch (Exception e) when (e is FoveaException or IOException or UnauthorizedAccessException)
        {
            throw bad(e is ImageException ? e.Message : $"image {image}: {e.Message}", e);
        }

        var (width, height) = header.Upright;
        var (right, bottom) = plan is null ? (Thousand, Thousand) : plan.Seen
            ?? throw bad($"norm_bbox: none needs one size that an image is brought to, and {family} cuts images into parts", null);
        return new ObjectFrame(width, height, right, bottom);
    }

    /// <summary>One conversation on its way to text.</summary>
    private sealed class Filling(ObjectText text, Conversation conversation, BoxScale scale)
    {
        private readonly IReadOnlyList<MediaSource> images = conversation.Images;
        private readonly Dictionary<int, ObjectFrame> frames = [];

        public List<WrittenPlace> Places { get; } = [];

        public IReadOnlyList<Part> Parts(Message message, int number, ObjectForm own, ObjectFormat format)
        {
            if (!message.Parts.Any(part => part is ObjectName or ObjectPlace))
            {
                return message.Parts;
            }

            return format == ObjectFormat.Json
                ? ObjectJson.Write(message, place => Numbers(place, number))
                : [.. message.Parts.Select(part => part switch
                {
                    ObjectName name => new Text(format == ObjectFormat.Legacy ? own.Name.Open + name.Value + own.Name.Close : name.Value),
                    ObjectPlace place => new Text(
                        format == ObjectFormat.Legacy ? own.Write([.. Numbers(place, number)]) : ObjectForm.List([.. Numbers(place, number)])),
                    _ => part,
                })];
        }

        private IReadOnlyList<long> Numbers(ObjectPlace place, int message)
        {
            var problem = PlaceCheck.Problem(place, images.Count);
            var frame = problem is null ? Frame(place.ImageIndex) : default;
            var within = problem is null ? PlaceCheck.Within(place, frame, out problem) : place;
            if (problem is not null)
            {
                throw BadSampleException.Of(conversation, $"objects: {problem}");
            }

            Places.Add(new WrittenPlace(frame.ToPixels(within), frame, frame.ToModel(within), message));
            return Places[^1].Numbers;
        }

        private ObjectFrame Frame(int image)
        {
            if (!frames.TryGetValue(image, out var frame))
            {
                frames[image] = frame = text.Frame(
                    images[image], scale, (reason, e) => BadSampleException.Of(conversation, reason, e));
            }

            return frame;
        }
    }
}
