namespace Fovea.Generation;

/// <summary>One question after the other.</summary>
internal sealed class AnswersInTurns(Answerer answerer, PromptBuilder prompts) : IBatchAnswerer
{
    public IEnumerable<BatchAnswer> AnswerAll(IEnumerable<AnswerRequest> requests, CancellationToken cancel)
    {
        foreach (var request in requests)
        {
            cancel.ThrowIfCancellationRequested();
            BatchAnswer answer;
            try
            {
                var shown = request.Asked.Images.Select(prompts.Read).ToList();
                answer = new BatchAnswer(request, [answerer.Answer(request.Asked, shown, request.Options, onText: null, cancel)]);
            }
            catch (FoveaException e)
            {
                answer = new BatchAnswer(request, [], e);
            }

            cancel.ThrowIfCancellationRequested();
            yield return answer;
        }
    }
}
