namespace Fovea.Evaluation.Running;

/// <summary>A question that is to be asked now.</summary>
/// <param name="Item">Place of its item in the benchmark.</param>
/// <param name="Turn">Place in the item, from 0.</param>
/// <param name="Asked">Earlier turns with the model's own answers, and the open question.</param>
internal sealed record AskedTurn(int Item, int Turn, Conversation Asked);
