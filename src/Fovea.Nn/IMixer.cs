using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>What brings the tokens of a sequence together in one layer of a decoder.</summary>
internal interface IMixer
{
    /// <param name="h_TE">Normalised hidden states.</param>
    /// <param name="rotary">Angles of each token.</param>
    /// <param name="sequences">Which tokens follow one another.</param>
    /// <param name="wanted_L">Rows that the result is made of; null for all. The others still take part.</param>
    /// <returns>What is added to the stream, [T, E] or [L, E].</returns>
    Tensor Forward(Tensor h_TE, Rotary rotary, ISequencePlan sequences, Tensor? wanted_L);
}
