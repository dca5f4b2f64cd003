using Fovea.Generation.Constraints;

namespace Fovea.Generation.Sampling;

/// <summary>
/// Chooses the tokens of one answer from logits, in Transformers' order: repetition penalty, n-grams, minimum length, constraint, bias, then vLLM's presence
/// and frequency penalties, temperature, top k, top p, min p, draw. Its random numbers are its own, so a seed gives the same tokens whatever else draws.
/// </summary>
internal sealed class TokenChooser
{
    [ThreadStatic]
    private static float[]? rawRoom;

    [ThreadStatic]
    private static ulong[]? topRoom;

    private readonly GenerationOptions options;
    private readonly TokenHistory history;
    private readonly ConstraintSession? constraint;
    private readonly int[] stops;
    private readonly float[] stopLogits;
    private readonly ulong seed;
    private ulong drawn;

    /// <param name="options">Checked ones.</param>
    /// <param name="prompt">Its tokens, without padding; images expanded.</param>
    /// <param name="constraint">What <see cref="GenerationOptions.Constraint"/> was compiled to; belongs to this answer alone.</param>
    /// <param name="sample">Which of <see cref="GenerationOptions.Count"/> answers this is, from 0; each has a stream of its own.</param>
    public TokenChooser(GenerationOptions options, ReadOnlySpan<int> prompt, ConstraintSession? constraint = null, int sample = 0)
    {
        (this.options, this.constraint) = (options, constraint);
        history = new TokenHistory(options, prompt);
        stops = [.. options.StopIds.Distinct()];
        stopLogits = new float[stops.Length];
#pragma warning disable RS0030 // Nobody asked for the same answer again.
        seed = options.Seed ?? (ulong)Random.Shared.NextInt64();
#pragma warning restore RS0030
        seed = sample == 0 ? seed : SplitMix.Mix(~seed, (ulong)sample);
    }

    /// <summary>How tokens are chosen.</summary>
    public GenerationOptions Options => options;

    /// <summary>The constraint allows nothing more: the answer is complete without a stop token.</summary>
    public bool IsComplete => constraint is { IsComplete: true };

    /// <summary>The log probability of the last choice; null unless asked for.</summary>
    public TokenLogprob? Logprob { get; private set; }

    private bool ChangesLogits => options.RepetitionPenalty != 1 || options.NoRepeatNgramSize > 0 || history.Count < options.MinNewTokens
        || constraint is not null || options.LogitBias.Count > 0 || options.PresencePenalty != 0 || options.FrequencyPenalty != 0;

    /// <summary>Chooses the next token; <see cref="Accept"/> says which one it became.</summary>
    /// <param name="logits">[V], as the model computed them; overwritten.</param>
    /// <exception cref="TorchException">They are not finite.</exception>
    /// <exception cref="ConfigException">The options forbid every token.</exception>
    public int Choose(Span<float> logits)
    {
        var best = LogitMath.Largest(logits);
        if (!float.IsFinite(logits[best]))
        {
            throw NotFinite();
        }

        var changes = ChangesLogits;
        var max = logits[best];
        ReadOnlySpan<float> raw = changes && options.Logprobs ? Copy(logits) : logits;
        if (changes)
        {
            Change(logits);
            best = LogitMath.Largest(logits);
            if (!float.IsFinite(logits[best]))
            {
                throw NothingLeft();
            }
        }

        var id = options.DoSample ? TokenDraw.Draw(logits, logits[best], options, Uniform()) : best;
        Logprob = options.Logprobs ? Report(raw, max, id) : null;
        return id;
    }

    /// <summary>The answer goes on with a token: the chosen one, unless several processes agreed on another.</summary>
    public void Accept(int id)
    {
        history.Add(id);
        if (constraint is not null && !stops.Contains(id))
        {
            constraint.Accept(id);
        }
    }

    /// <summary>What this answer wants changed in its row of a batch's logits; <see cref="Choose"/> does the same to its own.</summary>
    public void Collect(LogitEdits edits, int row)
    {
        history.Collect(edits, row);
        foreach (var id in history.Count < options.MinNewTokens ? stops : [])
        {
            edits.Forbid(row, id);
        }

        if (constraint is null)
        {
            return;
        }

        var allowed = new ulong[(edits.Vocabulary + 63) / 64];
        var words = constraint.Allowed();
        words[..Math.Min(words.Length, allowed.Length)].CopyTo(allowed);
        foreach (var id in stops.Where(id => id < edits.Vocabulary))
        {
            var bit = 1UL << (id & 63);
            allowed[id >> 6] = constraint.IsAccepting ? allowed[id >> 6] | bit : allowed[id >> 6] & ~bit;
        }

        edits.Kept.Add((row, allowed));
    }

    /// <summary>The next number of this answer's stream, at least 0 and below 1.</summary>
    public double NextUniform() => Uniform();

    private static Span<float> Copy(ReadOnlySpan<float> logits)
    {
        var room = rawRoom ?? [];
        RankedLogits.Grow(ref room, logits.Length, 0);
        rawRoom = room;
        logits.CopyTo(room);
        return room.AsSpan(0, logits.Length);
    }

    private void Change(Span<float> logits)
    {
        history.PenaliseRepetition(logits);
        history.ForbidRepeatedNgrams(logits);
        foreach (var id in history.Count < options.MinNewTokens ? stops : [])
        {
            if (id < logits.Length)
            {
                logits[id] = float.NegativeInfinity;
            }
        }

        if (constraint is not null)
        {
            Constrain(logits, constraint);
        }

        history.PenaliseMade(logits);
    }

    /// <summary>Stop tokens are no text: they may come exactly where the text is complete.</summary>
    private void Constrain(Span<float> logits, ConstraintSession constraint)
    {
        for (var i = 0; i < stops.Length; i++)
        {
            stopLogits[i] = stops[i] < logits.Length ? logits[stops[i]] : float.NegativeInfinity;
        }

        LogitMath.Keep(logits, constraint.Allowed());
        for (var i = 0; i < stops.Length; i++)
        {
            if (stops[i] < logits.Length)
            {
                logits[stops[i]] = constraint.IsAccepting ? stopLogits[i] : float.NegativeInfinity;
            }
        }
    }

    private TokenLogprob Report(ReadOnlySpan<float> raw, float max, int id)
    {
        var norm = max + Math.Log(LogitMath.SumOfExp(raw, max, 1));
        var top = Array.Empty<TokenLogprob>();
        if (options.TopLogprobs > 0)
        {
            var room = topRoom ?? [];
            var found = RankedLogits.SelectTop(raw, options.TopLogprobs, ref room);
            topRoom = room;
            room.AsSpan(0, found).Sort();
            top = new TokenLogprob[Math.Min(found, options.TopLogprobs)];
            for (var i = 0; i < top.Length; i++)
            {
                var likely = RankedLogits.IdOf(room[i]);
                top[i] = new TokenLogprob(likely, raw[likely] - norm);
            }
        }

        return new TokenLogprob(id, raw[id] - norm) { Top = top };
    }

    /// <summary>The error where a model's logits hold a NaN or an infinity.</summary>
    public static TorchException NotFinite() =>
        new("the model's logits are not finite: its weights are broken, or float16 overflowed (then bfloat16 or float32 helps)");

    /// <summary>The error where the options leave no token.</summary>
    public ConfigException NothingLeft()
    {
        var reasons = new List<string>();
        if (constraint is not null)
        {
            reasons.Add("the constraint (which the tokenizer may have no token for)");
        }

        if (options.NoRepeatNgramSize > 0)
        {
            reasons.Add($"no_repeat_ngram_size {options.NoRepeatNgramSize}");
        }

        if (history.Count < options.MinNewTokens)
        {
            reasons.Add($"min_new_tokens {options.MinNewTokens}");
        }

        return new ConfigException($"no token is left for place {history.Count} of the answer: {string.Join(" and ", reasons)} "
            + $"rule{(reasons.Count == 1 ? "s" : string.Empty)} out every one");
    }

    /// <summary>Uniform in [0, 1) from 53 bits of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).</summary>
    private double Uniform() => (SplitMix.Mix(seed, drawn++) >> 11) * (1.0 / (1UL << 53));
}
