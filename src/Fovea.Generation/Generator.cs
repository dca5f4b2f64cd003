using System.Diagnostics;
using Fovea.Generation.Constraints;
using Fovea.Generation.Sampling;
using Fovea.Models;
using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Generation;

/// <summary>
/// Lets a model go on from prompts, one token at a time with a key/value cache. Between calls it keeps the cache: a prompt that begins like what it
/// holds (the next turn of a conversation) costs only what is new. For one thread. Call <see cref="Reset"/> when weights have changed.
/// </summary>
internal sealed class Generator(VisionLanguageModel model) : IDisposable
{
    /// <summary>Room made for an answer beforehand; longer ones let the cache grow.</summary>
    private const int AnswerReserve = 256;

    private readonly KeyValueCache cache = new(model.Layers);
    private readonly List<int> held = [];
    private IReadOnlyList<PromptImage> heldImages = [];

    /// <summary>Sees the logits [V] of every step before a token is chosen.</summary>
    public Action<float[]>? Watch { get; set; }

    /// <summary>Where several processes generate together: makes one choice of what each has chosen.</summary>
    public Func<int, int>? Agree { get; set; }

    /// <summary>Sees every token but the stop token once it was reported, and says whether the answer ends with it: a stop string is complete.</summary>
    public Func<bool>? Ends { get; set; }

    /// <summary>Makes constraints hold for the model's tokenizer.</summary>
    public ConstraintCompiler? Constraints { get; set; }

    /// <summary>Goes on until a stop token, the limit, or cancellation (what there is by then is returned).</summary>
    /// <param name="prompt">Tokens and images.</param>
    /// <param name="options">How to choose and when to stop.</param>
    /// <param name="onToken">Called with every new token but the stop token, as soon as it is known.</param>
    /// <param name="cancel">Looked at between layers and between tokens.</param>
    /// <exception cref="ConfigException">The prompt is empty or longer than the model's longest sequence, or an option is out of range.</exception>
    public GenerationResult Generate(Prompt prompt, GenerationOptions options, Action<int>? onToken = null, CancellationToken cancel = default)
    {
        options.Check();
        if (options.Count > 1)
        {
            throw new ConfigException($"count is {options.Count}, but a conversation goes on from one answer");
        }

        Check(prompt);
        var constraint = options.Constraint is { } form
            ? (Constraints ?? throw new InvalidOperationException("constraints need a tokenizer")).Begin(form)
            : null;
        using var grad = Autograd.NoGrad();
        using var casts = new AdapterCopies(model.Ledger).Open(); // once, not for each token
        var reused = Reuse(prompt);
        cache.Reserve(prompt.Ids.Length + Math.Min(options.MaxNewTokens, AnswerReserve));
        var chooser = new TokenChooser(options, prompt.Ids, constraint);
        var stops = options.StopIds.ToHashSet();
        var made = new List<int>();
        var logprobs = new List<TokenLogprob>();
        var limit = Math.Min(options.MaxNewTokens, Math.Max(1, model.MaxTokens - prompt.Ids.Length));
        var started = Stopwatch.GetTimestamp();
        var (first, last) = (started, started);
        try
        {
            var logits = Prefill(prompt, reused, cancel, out var place);
            while (true)
            {
                Watch?.Invoke(logits);
                var id = chooser.Choose(logits);
                id = Agree?.Invoke(id) ?? id;
                chooser.Accept(id);
                made.Add(id);
                if (chooser.Logprob is { } logprob)
                {
                    logprobs.Add(logprob);
                }

                last = Stopwatch.GetTimestamp();
                first = made.Count == 1 ? last : first;
                if (stops.Contains(id))
                {
                    return Result(StopReason.Finished);
                }

                onToken?.Invoke(id);
                if (chooser.IsComplete || Ends?.Invoke() == true)
                {
                    return Result(StopReason.Finished);
                }

                if (made.Count == limit)
                {
                    return Result(StopReason.Length);
                }

                logits = Step(id, place++, cancel);
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            return Result(StopReason.Cancelled);
        }

        GenerationResult Result(StopReason reason) => new(
            made, reason, prompt.Ids.Length, reused, Stopwatch.GetElapsedTime(started, first), Stopwatch.GetElapsedTime(first, last))
        {
            Logprobs = logprobs,
        };
    }

    /// <summary>Forgets everything, for instance because weights or adapters have changed.</summary>
    public void Reset()
    {
        cache.Dispose();
        held.Clear();
        heldImages = [];
    }

    public void Dispose() => Reset();

    private void Check(Prompt prompt)
    {
        if (prompt.Ids.Length == 0)
        {
            throw new ConfigException("the prompt is empty");
        }

        if (prompt.Ids.Length >= model.MaxTokens)
        {
            var images = prompt.Images.Sum(i => i.Tokens);
            throw new ConfigException($"the prompt has {prompt.Ids.Length} tokens{(images == 0 ? "" : $", {images} of them for images")}; "
                + $"with at least one new token the model takes {model.MaxTokens} (max_position_embeddings). "
                + "Ask for less text, fewer or smaller images (image_max_pixels), or begin a new conversation.");
        }
    }

    /// <summary>Cuts the cache back to what it has in common with the prompt; at least one token is left to compute.</summary>
    private int Reuse(Prompt prompt)
    {
        var common = Prompt.Common(held, heldImages, prompt);
        if (common == prompt.Ids.Length)
        {
            // The last token of a prompt belongs to no image in practice; if it does, the whole image is computed again.
            common = prompt.Images.Count > 0 && prompt.Images[^1].Offset + prompt.Images[^1].Tokens == common ? prompt.Images[^1].Offset : common - 1;
        }

        cache.Truncate(common);
        held.RemoveRange(common, held.Count - common);
        heldImages = [.. prompt.Images.Where(i => i.Offset < common)];
        return common;
    }

    private float[] Prefill(Prompt prompt, int from, CancellationToken cancel, out int place)
    {
        using var scope = TensorScope.Open("token");
        var tokens = prompt.Ids.Length - from;
        var attention = new CachedAttention(cache, tokens, model.Device, cancel);
        var input = model.PreparePrompt(Array.ConvertAll(prompt.Ids, id => (long)id), prompt.Images, from, attention, out place);
        var logits = Logits(input, tokens);
        attention.Complete();
        held.AddRange(prompt.Ids.AsSpan(from));
        heldImages = prompt.Images;
        return logits;
    }

    private float[] Step(int id, int place, CancellationToken cancel)
    {
        using var scope = TensorScope.Open("token");
        var attention = new CachedAttention(cache, 1, model.Device, cancel);
        var logits = Logits(model.PrepareNext(id, place, attention), 1);
        attention.Complete();
        held.Add(id);
        return logits;
    }

    /// <summary>Logits of the last token only: those of the others would be a large product for nothing.</summary>
    private float[] Logits(ModelInput input, int tokens)
    {
        var last = tokens == 1 ? null : CreateOps.From(new[] { tokens - 1L }).To(model.Device);
        var hidden = model.Hidden(input with { Wanted = last }, model.VisionFeatures(input));
        using var held = model.Head.Open();
        return hidden.Linear(model.Head.Use()).To(DType.F32).ToArray<float>();
    }
}
