using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;

namespace Fovea.Data.Datasets;

/// <summary>A sample as the model sees it, turn by turn: what its tokens say, and which of them are trained.</summary>
internal static class ExampleText
{
    /// <summary>Its questions with their answers.</summary>
    public static IReadOnlyList<ExampleTurn> Turns(EncodedSample sample, Tokenizer tokenizer)
    {
        var starts = sample.Turns.Count > 0 ? sample.Turns : StartsBehindAnswers(sample.Labels);
        return [.. starts.Select((start, turn) => Turn(sample, tokenizer, start, turn + 1 < starts.Count ? starts[turn + 1] : sample.Ids.Length))];
    }

    /// <summary>Where an encoder does not say where turns begin: behind each stretch that is trained.</summary>
    private static List<int> StartsBehindAnswers(int[] labels)
    {
        var starts = new List<int> { 0 };
        for (var i = 1; i < labels.Length; i++)
        {
            if (labels[i] == EncodedSample.Ignored && labels[i - 1] != EncodedSample.Ignored && labels.AsSpan(i).ContainsAnyExcept(EncodedSample.Ignored))
            {
                starts.Add(i);
            }
        }

        return starts;
    }

    private static ExampleTurn Turn(EncodedSample sample, Tokenizer tokenizer, int start, int end)
    {
        var text = new List<ExampleSpan>();
        var ids = new List<ExampleSpan>();
        var images = sample.Images.ToDictionary(i => i.Offset);
        for (var at = start; at < end;)
        {
            var trained = sample.Labels[at] != EncodedSample.Ignored;
            if (images.TryGetValue(at, out var image))
            {
                text.Add(new ExampleSpan($"{tokenizer.Decode([sample.Ids[at]])} x {image.Tokens}", trained));
                ids.Add(new ExampleSpan($"{sample.Ids[at]} x {image.Tokens}", trained));
                at += image.Tokens;
                continue;
            }

            var (next, weight) = (at + 1, sample.WeightOf(at));
            while (next < end && sample.Labels[next] != EncodedSample.Ignored == trained && !images.ContainsKey(next)
                && (!trained || sample.WeightOf(next).Equals(weight)))
            {
                next++;
            }

            text.Add(new ExampleSpan(tokenizer.Decode(sample.Ids.AsSpan(at, next - at)), trained) { Weight = trained ? weight : 1 });
            ids.Add(new ExampleSpan(string.Join(' ', sample.Ids[at..next]), trained) { Weight = trained ? weight : 1 });
            at = next;
        }

        return new ExampleTurn(text, ids, end - start, end - start - sample.Labels.AsSpan(start, end - start).Count(EncodedSample.Ignored));
    }
}
