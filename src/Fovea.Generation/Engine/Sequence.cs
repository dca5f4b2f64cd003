using System.Diagnostics;
using System.Runtime.InteropServices;
using Fovea.Generation.Constraints;
using Fovea.Generation.Sampling;
using Fovea.Models;
using Fovea.Nn.Lora;

namespace Fovea.Generation.Engine;

/// <summary>One sample of a request while it is worked on: its tokens, the pages that hold them, and the choice of the next one.</summary>
internal sealed class Sequence
{
    private readonly long started = Stopwatch.GetTimestamp();
    private readonly VisionLanguageModel model;
    private readonly HashSet<int> stops;
    private readonly List<TokenLogprob> logprobs = [];
    private readonly int[][] positions;
    private readonly int place;
    private int reused;
    private long first;
    private long last;

    /// <param name="sample">Its number among the samples of the request.</param>
    /// <param name="keys">What the tokens of the prompt are.</param>
    /// <param name="constraint">What the request's constraint was compiled to, for this sample alone.</param>
    /// <param name="adapter">The one that the request names.</param>
    public Sequence(EngineRequest request, int sample, VisionLanguageModel model, List<long> keys, ConstraintSession? constraint, NamedAdapter? adapter)
    {
        (Request, Sample, Keys, Adapter, this.model) = (request, sample, [.. keys], adapter, model);
        var (prompt, options) = (request.Prompt, request.Options);
        Ids = [.. prompt.Ids];
        PromptTokens = prompt.Ids.Length;
        Limit = PromptTokens + (int)Math.Min((long)options.MaxNewTokens, Math.Max(1, model.MaxTokens - PromptTokens));
        positions = Array.ConvertAll(model.PositionsAt(0), _ => new int[PromptTokens]);
        place = model.PlacePrompt(Array.ConvertAll(prompt.Ids, id => (long)id), [.. prompt.Images.Select(image => image.Image.Grid)], positions);
        Chooser = new TokenChooser(options, prompt.Ids, constraint, sample);
        stops = [.. options.StopIds];
    }

    public EngineRequest Request { get; }

    public int Sample { get; }

    /// <summary>The adapter that answers; null is the model as it is.</summary>
    public NamedAdapter? Adapter { get; }

    /// <summary>Chooses its tokens.</summary>
    public TokenChooser Chooser { get; }

    /// <summary>The prompt and what was made.</summary>
    public List<int> Ids { get; }

    /// <summary>What the tokens are (<see cref="TokenKeys"/>).</summary>
    public List<long> Keys { get; }

    public ReadOnlySpan<long> KeySpan => CollectionsMarshal.AsSpan(Keys);

    public int PromptTokens { get; }

    /// <summary>Most tokens in all.</summary>
    public int Limit { get; }

    /// <summary>Pages that it takes at most; the last token is never computed.</summary>
    public int MostPages => PagesOf(Limit - 1);

    /// <summary>Tokens whose keys and values are in the cache.</summary>
    public int Cached { get; private set; }

    /// <summary>Whole pages that others may read too; they come before <see cref="Own"/>.</summary>
    public List<PrefixNode> Nodes { get; } = [];

    /// <summary>Pages that it alone reads and writes.</summary>
    public List<int> Own { get; } = [];

    /// <summary>Its images that are still to be computed.</summary>
    public List<Picture> Pictures { get; } = [];

    public int HeldPages => Nodes.Count + Own.Count;

    /// <summary>The slot of its states; null where it has none.</summary>
    public int? State { get; set; }

    /// <summary>Where, in tokens, a pass over the prompt ends so that the states there can be kept for others.</summary>
    public SortedSet<int> Marks { get; } = [];

    /// <summary>As many tokens as come before the next mark.</summary>
    public int ToMark => Marks.Count > 0 ? Marks.Min - Cached : int.MaxValue;

    /// <summary>Tokens that are to be computed until the next one can be chosen.</summary>
    public int Ahead => Ids.Count - Cached;

    /// <summary>As many of them as can be computed with the image features that are there.</summary>
    public int Ready => Pictures.FirstOrDefault(picture => picture.Group.Features is null) is { } missing
        ? Math.Clamp(missing.Image.Offset - Cached, 0, Ahead)
        : Ahead;

    public bool IsAnswering => Ids.Count > PromptTokens;

    public static int PagesOf(int tokens) => (tokens + EngineOptions.PageTokens - 1) / EngineOptions.PageTokens;

    /// <summary>The first tokens were found in the cache.</summary>
    public void Reuse(int tokens) => Cached = reused = tokens;

    /// <summary>The next tokens were computed.</summary>
    public void Advance(int tokens) => Cached += tokens;

    /// <summary>Writes the positions of tokens [from, end) along each axis, from <paramref name="start"/> on.</summary>
    public void WritePositions(int from, int end, int[][] to, int start)
    {
        for (var token = from; token < end; token++)
        {
            var at = token < PromptTokens ? null : model.PositionsAt(place + token - PromptTokens);
            for (var axis = 0; axis < to.Length; axis++)
            {
                to[axis][start + token - from] = at is null ? positions[axis][token] : at[axis][0];
            }
        }
    }

    /// <summary>Appends a token.</summary>
    /// <param name="logprob">Its log probability, where it is to be reported.</param>
    /// <returns>Why the answer ends with it; null where it goes on.</returns>
    public StopReason? Append(int id, TokenLogprob? logprob)
    {
        Ids.Add(id);
        Keys.Add(id);
        Chooser.Accept(id);
        if (logprob is not null)
        {
            logprobs.Add(logprob);
        }

        last = Stopwatch.GetTimestamp();
        first = first == 0 ? last : first;
        if (stops.Contains(id) || Request.OnToken?.Invoke(Sample, id, logprob) == false || Chooser.IsComplete)
        {
            return StopReason.Finished;
        }

        return Ids.Count == Limit ? StopReason.Length : null;
    }

    public GenerationResult Result(StopReason reason)
    {
        var now = Stopwatch.GetTimestamp();
        return new GenerationResult(
            Ids.GetRange(PromptTokens, Ids.Count - PromptTokens), reason, PromptTokens, reused,
            Stopwatch.GetElapsedTime(started, first == 0 ? now : first), first == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(first, last))
        {
            Logprobs = logprobs,
        };
    }
}
