namespace Fovea.Generation.Sampling;

/// <summary>What came before in one answer and its prompt, as the penalties see it; each part is kept only where an option asks for it.</summary>
internal sealed class TokenHistory
{
    private readonly GenerationOptions options;
    private readonly HashSet<int>? seen;
    private readonly Dictionary<int, int>? made;
    private readonly List<int> tokens = [];
    private readonly List<int> repeated = [];
    private readonly Dictionary<int, List<int>>? ends;
    private readonly int size;

    public TokenHistory(GenerationOptions options, ReadOnlySpan<int> prompt)
    {
        this.options = options;
        size = options.NoRepeatNgramSize;
        seen = options.RepetitionPenalty == 1 ? null : [];
        made = options.PresencePenalty == 0 && options.FrequencyPenalty == 0 ? null : [];
        ends = size == 0 ? null : [];
        foreach (var id in prompt)
        {
            See(id);
        }
    }

    /// <summary>How many tokens the answer has.</summary>
    public int Count { get; private set; }

    /// <summary>The answer goes on with a token.</summary>
    public void Add(int id)
    {
        Count++;
        See(id);
        if (made is not null)
        {
            made[id] = made.GetValueOrDefault(id) + 1;
        }
    }

    /// <summary>Multiplies negative logits of tokens that occurred, and divides the others (arXiv 1909.05858).</summary>
    public void PenaliseRepetition(Span<float> logits)
    {
        var penalty = (float)options.RepetitionPenalty;
        foreach (var id in seen ?? [])
        {
            if (id < logits.Length)
            {
                logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
            }
        }
    }

    /// <summary>Takes out tokens that would end an n-gram which occurred already.</summary>
    public void ForbidRepeatedNgrams(Span<float> logits)
    {
        repeated.Clear();
        FindRepeated();
        foreach (var id in repeated)
        {
            if (id < logits.Length)
            {
                logits[id] = float.NegativeInfinity;
            }
        }
    }

    /// <summary>The same changes for one row of a batch, in the order of this class.</summary>
    public void Collect(LogitEdits edits, int row)
    {
        foreach (var id in seen ?? [])
        {
            edits.Repeat(row, id, (float)options.RepetitionPenalty);
        }

        repeated.Clear();
        FindRepeated();
        foreach (var id in repeated)
        {
            edits.Forbid(row, id);
        }

        foreach (var (id, bias) in options.LogitBias)
        {
            edits.Add(row, id, (float)bias);
        }

        foreach (var (id, times) in made ?? [])
        {
            edits.Add(row, id, -Penalty(times));
        }
    }

    /// <summary>Adds the bias of tokens, and subtracts both penalties from tokens of the answer.</summary>
    public void PenaliseMade(Span<float> logits)
    {
        foreach (var (id, bias) in options.LogitBias)
        {
            if (id < logits.Length)
            {
                logits[id] += (float)bias;
            }
        }

        foreach (var (id, times) in made ?? [])
        {
            if (id < logits.Length)
            {
                logits[id] -= Penalty(times);
            }
        }
    }

    private float Penalty(int times) => (float)((options.FrequencyPenalty * times) + options.PresencePenalty);

    private void FindRepeated()
    {
        if (ends is null || tokens.Count < size - 1)
        {
            return;
        }

        if (size == 1)
        {
            repeated.AddRange(ends.Keys);
            return;
        }

        // Where the last token stood before is where the rest of the n-gram may have stood too.
        foreach (var place in ends.GetValueOrDefault(tokens[^1]) ?? [])
        {
            if (place + 1 < tokens.Count && SameBefore(place))
            {
                repeated.Add(tokens[place + 1]);
            }
        }
    }

    private bool SameBefore(int place)
    {
        if (place < size - 2)
        {
            return false;
        }

        for (var back = 1; back < size - 1; back++)
        {
            if (tokens[place - back] != tokens[^(1 + back)])
            {
                return false;
            }
        }

        return true;
    }

    private void See(int id)
    {
        seen?.Add(id);
        if (ends is null)
        {
            return;
        }

        if (!ends.TryGetValue(id, out var places))
        {
            ends[id] = places = [];
        }

        places.Add(tokens.Count);
        tokens.Add(id);
    }
}
