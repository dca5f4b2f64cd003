using Fovea.Data.Datasets;

namespace Fovea.Data.Templates;

/// <summary>Turns conversations into ids and labels, with their images. Must be usable from several threads at once.</summary>
public interface ISampleEncoder
{
    /// <summary>Encodes one conversation; what cannot be trained on (an unreadable image, too long) is a <see cref="BadSampleException"/>.</summary>
    EncodedSample Encode(Conversation conversation);
}
