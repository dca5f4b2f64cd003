using Fovea.Generation.Constraints;
using Fovea.Generation.Sampling;
using Fovea.Models;
using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Generation.Engine;

/// <summary>
/// Lets a model go on from many prompts at once. Every pass brings the next token of each answer under way and chunks of new prompts; prompts wait until
/// there is room in the cache for all that they may come to, so nothing that was begun fails for memory. What prompts have in common at their beginning is
/// computed once. For the thread that owns the model.
/// </summary>
/// <remarks>
/// On the CPU the bits of a token's logits depend on the tokens before it alone: not on what else is in a pass, on chunks, or on what was found in the cache.
/// </remarks>
internal sealed class GenerationEngine : IDisposable
{
    private readonly VisionLanguageModel model;
    private readonly EngineOptions options;
    private readonly LinkedList<Sequence> waiting = new();
    private readonly List<Sequence> running = [];
    private readonly Pictures pictures;
    private readonly Dictionary<string, NamedAdapter> adapters = [];
    private SequenceCache cache;
    private IDisposable? casts;

    public GenerationEngine(VisionLanguageModel model, EngineOptions? options = null)
    {
        (this.model, this.options) = (model, options ?? new EngineOptions());
        pictures = new Pictures(model, this.options.VisionPatches);
        cache = NewCache();
    }

    /// <summary>Sees the logits [V] of a sample's every step before a token is chosen.</summary>
    public Action<EngineRequest, float[]>? Watch { get; set; }

    /// <summary>Makes constraints hold for the model's tokenizer.</summary>
    public ConstraintCompiler? Constraints { get; set; }

    /// <summary>Where several processes answer the same questions together: makes one choice of what each has chosen.</summary>
    public Func<int, int>? Agree { get; set; }

    /// <summary>
    /// Where processes answer different questions but gather weights together: adds up numbers over them. All of them make the same passes then, and
    /// who has nothing to do computes one for nothing.
    /// </summary>
    public Func<double[], double[]>? Sum { get; set; }

    /// <summary>Whether something waits or is under way here.</summary>
    public bool HasWork => waiting.Count > 0 || running.Count > 0;

    /// <summary>Samples that wait or are under way.</summary>
    public int Load => waiting.Count + running.Count;

    /// <summary>Samples that are under way.</summary>
    public int Running => running.Count;

    /// <summary>Most samples that are answered at once.</summary>
    public int MostSequences => options.MostSequences;

    /// <summary>What it did so far.</summary>
    public EngineStatistics Statistics { get; } = new();

    /// <summary>Pages that hold something: of answers under way, and of what may be of use again.</summary>
    public int PagesUsed => cache.Pages.Used;

    /// <summary>Pages that answers under way hold.</summary>
    public int PagesInUse => cache.Pages.Used - cache.Evictable;

    /// <summary>Pages that there may be.</summary>
    public int MostPages => cache.Pages.MostSlots;

    /// <summary>Bytes of a page: keys and values of all layers.</summary>
    public long PageBytes => cache.Pages.SlotBytes;

    /// <summary>States of recurrent layers that are held: of answers under way, and of what prompts may go on from.</summary>
    public int StatesUsed => cache.States?.Used ?? 0;

    /// <summary>States that there may be.</summary>
    public int MostStates => cache.States?.MostSlots ?? 0;

    /// <summary>Bytes of a state of all recurrent layers.</summary>
    public long StateBytes => cache.States?.SlotBytes ?? 0;

    /// <summary>From now on requests may name this adapter, which stays the caller's and lives as long as the engine.</summary>
    public void Add(NamedAdapter adapter) => adapters.Add(adapter.Name, adapter);

    /// <summary>Puts a prompt in the queue.</summary>
    /// <exception cref="ConfigException">The prompt is empty, longer than the model or the cache takes, or an option is out of range.</exception>
    public void Submit(EngineRequest request)
    {
        request.Options.Check();
        PromptLimits.Check(request.Prompt, model);
        var adapter = request.Options.Adapter is { } name ? Named(name) : null;
        var keys = TokenKeys.Of(request.Prompt, model.ImagesStandAlone);
        var samples = Enumerable.Range(0, request.Options.Count)
            .Select(sample => new Sequence(request, sample, model, keys, Constraint(request), adapter)).ToList();
        var sequence = samples[0];
        if (sequence.MostPages > MostPages)
        {
            throw new ConfigException($"a prompt of {sequence.PromptTokens} tokens with an answer of up to {sequence.Limit - sequence.PromptTokens} needs "
                + $"{sequence.MostPages * PageBytes >> 20} MiB of keys and values, and the cache may take {MostPages * PageBytes >> 20} MiB; "
                + "ask for a shorter answer (max_new_tokens), fewer or smaller images");
        }

        samples.ForEach(sample => waiting.AddLast(sample));
    }

    /// <summary>Computes one pass: images that wait, or the next tokens of everything that is under way.</summary>
    /// <returns>False when there is nothing to do, here or in the other processes.</returns>
    public bool Step()
    {
        if (!HasWork && Sum is null)
        {
            return false;
        }

        using var grad = Autograd.NoGrad();
        using var rows = RowStable.Open();
        casts ??= new AdapterCopies(model.Ledger).Open(); // once while there is work, not for each pass
        try
        {
            End(running.Concat(waiting).Where(sequence => sequence.Request.Cancel.IsCancellationRequested).ToList(), StopReason.Cancelled);
            Admit();
            var (any, sees) = Together();
            if (!any)
            {
                Rest();
                return false;
            }

            if (sees)
            {
                See();
            }

            Pass();
            return true;
        }
        catch (Exception e)
        {
            Fail(e);
            throw;
        }
    }

    /// <summary>Computes until nothing is left to do.</summary>
    public void Run()
    {
        while (Step())
        {
        }
    }

    /// <summary>Forgets what prompts have computed, for instance because weights have changed. Nothing may be under way.</summary>
    public void Reset()
    {
        if (HasWork)
        {
            throw new InvalidOperationException("answers are under way");
        }

        Rest();
        cache.Dispose();
        cache = NewCache();
    }

    /// <summary>Forgets what nobody reads now, for instance because a conversation has ended; answers that are under way go on.</summary>
    public void Forget()
    {
        if (HasWork)
        {
            cache.Forget();
        }
        else
        {
            Reset();
        }
    }

    public void Dispose()
    {
        Rest();
        pictures.Dispose();
        cache.Dispose();
    }

    private NamedAdapter Named(string name) => adapters.TryGetValue(name, out var adapter)
        ? adapter
        : throw new ConfigException($"no adapter named '{name}' is loaded; "
            + (adapters.Count == 0 ? "none has a name" : $"there are {string.Join(", ", adapters.Keys.Order())}"));

    private ConstraintSession? Constraint(EngineRequest request) =>
        request.Form is { } made ? new ConstraintSession(made)
        : request.Options.Constraint is { } form
            ? (Constraints ?? throw new InvalidOperationException("constraints need a tokenizer")).Begin(form)
        : null;

    private void Rest()
    {
        casts?.Dispose();
        casts = null;
    }

    private SequenceCache NewCache() =>
        new(model, options.CacheBytes ?? CacheMemory.Of(model.Device), options.MostSequences, options.SharesPrefixes);

    // What waits begins in its order, as long as there is room. Who shares much with a prompt that is being computed waits for that one, so that it is
    // computed once; others may go before.
    private void Admit()
    {
        var promised = running.Sum(sequence => sequence.MostPages - sequence.HeldPages);
        var most = Math.Min(options.MostSequences, cache.MostSequences);
        for (var node = waiting.First; node is not null && running.Count < most;)
        {
            var (sequence, next) = (node.Value, node.Next);
            var prefix = cache.Find(sequence);
            if (options.SharesPrefixes && WaitsFor(sequence, prefix.Tokens))
            {
                node = next;
                continue;
            }

            if (!cache.HasRoom(sequence, ref prefix, promised))
            {
                return;
            }

            waiting.Remove(node);
            cache.Begin(sequence, prefix);
            Statistics.ReusedTokens += sequence.Cached;
            running.Add(sequence);
            pictures.Want(sequence);
            promised += sequence.MostPages - sequence.HeldPages;
            node = next;
        }
    }

    private bool WaitsFor(Sequence sequence, int found) => running.Any(other =>
    {
        if (other.IsAnswering || other.Adapter != sequence.Adapter || other.PromptTokens <= other.Cached)
        {
            return false;
        }

        var common = sequence.KeySpan[..(sequence.PromptTokens - 1)].CommonPrefixLength(other.KeySpan);
        return common >= found + EngineOptions.PageTokens && cache.WillHave(other, common);
    });

    private (bool Any, bool Sees) Together()
    {
        if (Sum is null)
        {
            return (HasWork, pictures.Wait);
        }

        var all = Sum([HasWork ? 1 : 0, pictures.Wait ? 1 : 0]);
        return (all[0] > 0, all[1] > 0);
    }

    private void See()
    {
        Statistics.VisionPasses++;
        if (pictures.Wait)
        {
            pictures.See();
        }
        else
        {
            pictures.SeeNothing();
        }
    }

    private void Pass()
    {
        var parts = Parts();
        using var scope = TensorScope.Open("token");
        if (parts.Count == 0)
        {
            if (Sum is not null)
            {
                _ = Logits(PassInput.Nothing(model));
            }

            return;
        }

        foreach (var part in parts)
        {
            cache.Extend(part.Sequence, part.End);
        }

        var input = PassInput.Of(model, cache, parts);
        var logits = Logits(input);
        Statistics.Passes++;
        Statistics.Tokens += parts.Sum(part => part.Tokens);
        foreach (var part in parts)
        {
            part.Sequence.Advance(part.Tokens);
            cache.Register(part.Sequence);
            pictures.Release(part.Sequence);
        }

        if (logits is null || input.Completed.Count == 0)
        {
            return;
        }

        if (Watch is null && (options.ChoosesOnDevice ?? model.Device.Type == DeviceType.Cuda) && ChooseOnDevice(logits, input.Completed))
        {
            return;
        }

        // Read where they lie: of a large vocabulary they are megabytes a pass.
        var numbers = logits.To(Device.Cpu).Contiguous();
        for (var i = 0; i < input.Completed.Count; i++)
        {
            Choose(input.Completed[i], numbers, i);
        }
    }

    // Only the choices leave the device. A row that cannot be chosen is told apart from the others on the host.
    private bool ChooseOnDevice(Tensor logits, IReadOnlyList<Sequence> sequences)
    {
        int[] ids;
        TokenLogprob?[] logprobs;
        try
        {
            (ids, logprobs, var near) = DeviceSampler.Choose(logits, [.. sequences.Select(sequence => sequence.Chooser)]);
            Statistics.NearTies += near;
        }
        catch (Exception e) when (e is TorchException or ConfigException)
        {
            return false;
        }

        for (var i = 0; i < ids.Length; i++)
        {
            var (sequence, id, logprob) = (sequences[i], ids[i], logprobs[i]);
            Told(sequence, () => Append(sequence, id, logprob));
        }

        return true;
    }

    // One token of every answer, then as much of the prompts as fits.
    private List<PassPart> Parts()
    {
        var parts = running.Where(sequence => sequence.Ahead == 1 && sequence.Ready == 1).Select(sequence => new PassPart(sequence, 1)).ToList();
        var left = Math.Max(1, options.PassTokens - parts.Count);
        foreach (var sequence in running.Where(sequence => sequence.Ahead > 1))
        {
            var tokens = Math.Min(Math.Min(left, sequence.Ready), sequence.ToMark);
            if (tokens > 0)
            {
                parts.Add(new PassPart(sequence, tokens));
                left -= tokens;
            }
        }

        // Rows of one adapter side by side are one product.
        return adapters.Count == 0 ? parts : [.. parts.OrderBy(part => part.Sequence.Adapter?.Name, StringComparer.Ordinal)];
    }

    private Tensor? Logits(PassInput pass)
    {
        using var rows = pass.Rows?.Open();
        var hidden = model.Hidden(pass.Input, pass.Features);
        if (pass.Completed.Count == 0 && Sum is null)
        {
            return null;
        }

        using var held = model.Head.Open();
        return model.Head.Logits(hidden).To(DType.F32);
    }

    private void Choose(Sequence sequence, Tensor logits, int row) => Told(sequence, () =>
    {
        var width = (int)logits.Size(1);
        var numbers = logits.Elements<float>().Slice(row * width, width);
        Watch?.Invoke(sequence.Request, numbers.ToArray());
        var id = sequence.Chooser.Choose(numbers);
        Append(sequence, id, sequence.Chooser.Logprob);
    });

    private void Append(Sequence sequence, int id, TokenLogprob? logprob)
    {
        Statistics.NewTokens++;
        if (sequence.Append(Agree?.Invoke(id) ?? id, logprob) is { } reason)
        {
            End([sequence], reason);
        }
    }

    // What goes wrong with one answer, its caller's own code included, ends that one alone.
    private void Told(Sequence sequence, Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) when (sequence.Request.OnFail is not null && Agree is null && Sum is null)
        {
            Leave(sequence);
            sequence.Request.OnFail(sequence.Sample, e);
        }
    }

    private void End(IReadOnlyList<Sequence> ended, StopReason reason)
    {
        foreach (var sequence in ended)
        {
            Leave(sequence);
            sequence.Request.OnEnd?.Invoke(sequence.Sample, sequence.Result(reason));
        }
    }

    private void Leave(Sequence sequence)
    {
        waiting.Remove(sequence);
        if (!running.Remove(sequence))
        {
            return;
        }

        pictures.Release(sequence, all: true);
        cache.Leave(sequence);
    }

    private void Fail(Exception e)
    {
        foreach (var sequence in running.Concat(waiting).ToList())
        {
            Leave(sequence);
            sequence.Request.OnFail?.Invoke(sequence.Sample, e);
        }

        // Pages may be half written.
        Reset();
    }
}
