using Fovea.Data.Templates;

namespace Fovea.Data.Objects;

/// <summary>An encoder that sees names and places of objects as text.</summary>
internal sealed class ObjectEncoder(ISampleEncoder encoder, ObjectText text) : ISampleEncoder
{
    public EncodedSample Encode(Conversation conversation) => Filled(conversation, encoder.Encode);

    public EncodedSample Encode(Conversation conversation, int epoch, int index) => Filled(conversation, filled => encoder.Encode(filled, epoch, index));

    private EncodedSample Filled(Conversation conversation, Func<Conversation, EncodedSample> encode)
    {
        var sample = encode(text.Fill(conversation, out var places));
        return places.Count == 0 ? sample : sample with { Places = places };
    }
}
