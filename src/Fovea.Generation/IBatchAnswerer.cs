namespace Fovea.Generation;

/// <summary>Answers many questions at once. For the thread that owns the model.</summary>
internal interface IBatchAnswerer
{
    /// <summary>Takes questions as there is room for them and gives answers in the order in which they are ready.</summary>
    /// <param name="requests">Read as far as there is room; may be endless.</param>
    /// <param name="cancel">Ends all answers.</param>
    /// <exception cref="OperationCanceledException">It was cancelled; answers that were given are whole.</exception>
    IEnumerable<BatchAnswer> AnswerAll(IEnumerable<AnswerRequest> requests, CancellationToken cancel);
}
