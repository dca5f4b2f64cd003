
namespace Fovea.Data.Templates;

/// <summary>Turns conversations into ids and labels, with their images. Must be usable from several threads at once.</summary>
internal interface ISampleEncoder
{
    /// <summary>Encodes one conversation; what cannot be trained on (an unreadable image, too long) is a <see cref="Datasets.BadSampleException"/>.</summary>
    EncodedSample Encode(Conversation conversation);

    /// <summary>
    /// The same for training, with what the family's own data code changes by chance. It depends on the seed, the epoch and the sample's number alone,
    /// so that resuming, ranks and threads cannot change it.
    /// </summary>
    EncodedSample Encode(Conversation conversation, int epoch, int index) => Encode(conversation);
}
