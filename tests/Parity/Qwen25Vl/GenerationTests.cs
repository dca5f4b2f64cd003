using System.Text.Json;
using Fovea.Data.Images;
using Fovea.Distributed;
using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Models;
using Fovea.Models.Qwen25Vl;
using Fovea.Nn;

namespace Fovea.Tests.Parity.Qwen25Vl;

/// <summary>
/// Generation against the original code on the same random weights (tests/goldens/qwen2_5_vl_tiny/make/ref_forward.py), and against itself uncached.
/// </summary>
public sealed class GenerationTests : NativeTest
{
    private const int ImageToken = 1990;
    private static readonly string Folder = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly JsonElement[] Samples =
        [.. Golden.Json(TestFiles.Golden("qwen2_5_vl_tiny/forward.json")).GetProperty("first4").EnumerateArray()];

    private static readonly JsonElement[] Rows =
        [.. Golden.Json(TestFiles.Golden("qwen2_5_vl_tiny/data/tiny_shapes.json")).EnumerateArray()];

    private readonly ModelProcessor processor = Qwen25VlProcessor.Load(ModelSource.Open(Folder));
    private readonly GenerationOptions greedy;
    private readonly VisionLanguageModel model;

    public GenerationTests()
    {
        greedy = GenerationFile.Read(Folder, processor.Tokenizer, processor.Template.StopWords) with { MaxNewTokens = 24 };
        model = ModelSource.Open(Folder).Load(new ModelOptions());
    }

    public static TheoryData<int> Indices => [.. Samples.Select(s => s.GetProperty("index").GetInt32())];

    [Theory]
    [MemberData(nameof(Indices))]
    public void Greedy_tokens_equal_the_originals(int index)
    {
        using var generator = new GenerationEngine(model);
        var sample = Sample(index);
        var result = generator.Generate(PromptOf(sample), greedy);
        Assert.Equal(Ints(sample, "greedy_24"), result.Ids);
        Assert.Equal(sample.GetProperty("greedy_prompt_len").GetInt32(), result.PromptTokens);
        Assert.Equal(result.Ids.Count == 24 ? StopReason.Length : StopReason.Finished, result.Reason);
    }

    [Fact]
    public void Weights_that_are_brought_block_by_block_give_the_same_tokens()
    {
        using var mesh = Mesh.Alone();
        using var divided = ModelSource.Open(Folder).Load(new ModelOptions { Deferred = true });
        using var sharded = new ZeroSharding(mesh, divided.Ledger, divided.Head, new ShardingOptions { Stage = 3 });
        using var generator = new GenerationEngine(divided);
        foreach (var sample in Samples)
        {
            generator.Reset();
            Assert.Equal(Ints(sample, "greedy_24"), generator.Generate(PromptOf(sample), greedy).Ids);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(9)]
    public void Cached_logits_equal_those_of_the_whole_sequence_computed_again(int index)
    {
        var prompt = PromptOf(Sample(index));
        var cached = new List<float[]>();
        using var generator = new GenerationEngine(model) { Watch = (_, logits) => cached.Add([.. logits]) };
        var made = generator.Generate(prompt, greedy with { MaxNewTokens = 8, StopIds = [] }).Ids;
        Assert.Equal(8, cached.Count);
        for (var step = 0; step < cached.Count; step++)
        {
            Golden.Near($"step {step}", Uncached(prompt, made.Take(step)), cached[step], 1e-5);
        }
    }

    [Fact]
    public void A_prompt_that_continues_the_cache_gives_the_logits_of_a_fresh_one()
    {
        var whole = PromptOf(Sample(9));
        float[] last = [];
        using var generator = new GenerationEngine(model) { Watch = (_, logits) => last = [.. logits] };

        // Three cuts: before both images, between them, behind them.
        var (first, second) = (whole.Images[0], whole.Images[1]);
        foreach (var cut in new[] { first.Offset, second.Offset - 1, second.Offset + second.Tokens + 2 })
        {
            generator.Reset();
            var begin = new Prompt(whole.Ids[..cut], [.. whole.Images.Where(i => i.Offset < cut)]);
            generator.Generate(begin, greedy with { MaxNewTokens = 1, StopIds = [] });
            var result = generator.Generate(whole, greedy with { MaxNewTokens = 1, StopIds = [] });
            Assert.Equal(cut, result.ReusedTokens);
            Golden.Near($"cut at {cut}", Uncached(whole, []), last, 1e-5);
        }

        // The same prompt again leaves only its last token to compute, and so does one whose image was read again; another image in the same place leaves
        // what precedes it.
        Assert.Equal(whole.Ids.Length - 1, generator.Generate(whole, greedy).ReusedTokens);
        var changed = whole.Images[1] with { Image = whole.Images[1].Image with { Patches = [.. whole.Images[1].Image.Patches.Select(value => -value)] } };
        Assert.Equal(second.Offset, generator.Generate(whole with { Images = [whole.Images[0], changed] }, greedy).ReusedTokens);
    }

    [Fact]
    public void Sampling_with_a_seed_is_deterministic_and_seeds_differ()
    {
        var prompt = PromptOf(Sample(0));
        var sampling = greedy with { DoSample = true, Temperature = 1.5, TopK = 0, TopP = 0.95, RepetitionPenalty = 1.1, StopIds = [], MaxNewTokens = 12 };
        var first = Run(7);
        Assert.Equal(first, Run(7));
        Assert.NotEqual(first, Run(8));
        Assert.All(first, id => Assert.InRange(id, 0, (int)model.Head.Shape[0] - 1));

        IReadOnlyList<int> Run(ulong seed)
        {
            using var generator = new GenerationEngine(model);
            return generator.Generate(prompt, sampling with { Seed = seed }).Ids;
        }
    }

    [Fact]
    public void Cancelling_returns_what_there_is_and_leaves_the_generator_usable()
    {
        var prompt = PromptOf(Sample(5));
        using var generator = new GenerationEngine(model);
        var endless = greedy with { StopIds = [] };
        using var cancel = new CancellationTokenSource();
        var seen = 0;
        var stopped = generator.Generate(prompt, endless, _ => Stop(), cancel.Token);
        Assert.Equal(StopReason.Cancelled, stopped.Reason);
        Assert.Equal(3, stopped.Ids.Count);
        Assert.Equal(StopReason.Cancelled, generator.Generate(prompt, endless, null, new CancellationToken(true)).Reason);
        Assert.Equal(generator.Generate(prompt, greedy).Ids, Ints(Sample(5), "greedy_24"));

        bool Stop()
        {
            if (++seen == 3)
            {
                cancel.Cancel();
            }

            return true;
        }
    }

    [Fact]
    public void A_prompt_longer_than_the_model_takes_is_refused_with_both_lengths()
    {
        using var generator = new GenerationEngine(model);
        var error = Assert.Throws<ConfigException>(() => generator.Generate(new Prompt(new int[model.MaxTokens], []), greedy));
        Assert.Contains($"{model.MaxTokens} tokens", error.Message);
        Assert.Contains("max_position_embeddings", error.Message);
        Assert.Throws<ConfigException>(() => generator.Generate(new Prompt([], []), greedy));
    }

    [Fact]
    public void Bf16_generates_and_its_cache_agrees_with_the_whole_sequence()
    {
        using var half = ModelSource.Open(Folder).Load(new ModelOptions { Compute = DType.BF16 });
        var prompt = PromptOf(Sample(0));
        var cached = new List<float[]>();
        using var generator = new GenerationEngine(half) { Watch = (_, logits) => cached.Add([.. logits]) };
        var made = generator.Generate(prompt, greedy with { MaxNewTokens = 4, StopIds = [] }).Ids;
        for (var step = 0; step < cached.Count; step++)
        {
            Golden.NearRelative($"step {step}", Uncached(prompt, made.Take(step), half), cached[step], 0.02);
        }
    }

    [Fact]
    public void A_conversation_of_two_turns_computes_only_what_is_new()
    {
        var row = Rows[2];
        var prompts = new PromptBuilder(processor.Tokenizer, processor.Template, processor.Images);
        using var engine = new GenerationEngine(model);
        var answerer = new Answerer(engine, processor.Tokenizer, prompts);
        var session = new ChatSession(answerer, prompts);
        var streamed = string.Empty;
        var image = Path.Combine(TestFiles.Golden("qwen2_5_vl_tiny/data"), row.GetProperty("images")[0].GetString()!);
        var first = session.Ask(row.GetProperty("messages")[0].GetProperty("content").GetString()!, [image], greedy, piece => streamed += piece);

        // The prompt is the one that the reference began with, so the answer is the reference's too.
        var expected = Ints(Sample(2), "greedy_24");
        Assert.Equal(expected, first.Generation.Ids);
        Assert.Equal(first.Text, streamed);
        Assert.Equal(processor.Tokenizer.Decode(expected, skipSpecialTokens: true), first.Text);

        var second = session.Ask("And its colour?", [], greedy with { MaxNewTokens = 4 });
        Assert.True(second.Generation.ReusedTokens >= first.Generation.PromptTokens, $"{second.Generation}");
        Assert.Equal(4, session.Messages.Count);
        Assert.Throws<ConfigException>(() => session.Ask("<image><image> Which?", [image], greedy));
        Assert.Throws<ConfigException>(() => session.Ask("literally <|image_pad|>", [image], greedy));
        Assert.Throws<ImageException>(() => session.Ask("And this?", [image + ".absent"], greedy));
        Assert.Equal(4, session.Messages.Count);
        session.Clear();
        Assert.Equal(0, session.Ask("Hello", [], greedy with { MaxNewTokens = 1 }).Generation.ReusedTokens);
    }

    [Fact]
    public void A_question_is_answered_as_the_original_does()
    {
        var row = Rows[1];
        var image = Path.Combine(TestFiles.Golden("qwen2_5_vl_tiny/data"), row.GetProperty("images")[0].GetString()!);
        var prompts = new PromptBuilder(processor.Tokenizer, processor.Template, processor.Images);
        using var engine = new GenerationEngine(model);
        var answerer = new Answerer(engine, processor.Tokenizer, prompts);
        var session = new ChatSession(answerer, prompts);
        var answer = session.Ask("What do you see?", [image], greedy).Text;
        Assert.Equal(processor.Tokenizer.Decode(Ints(Sample(1), "greedy_24"), skipSpecialTokens: true), answer);
    }

    protected override void Cleanup() => model.Dispose();

    private static JsonElement Sample(int index) => Samples.Single(s => s.GetProperty("index").GetInt32() == index);

    private static int[] Ints(JsonElement sample, string key) => [.. sample.GetProperty(key).EnumerateArray().Select(v => v.GetInt32())];

    private Prompt PromptOf(JsonElement sample)
    {
        var ids = Ints(sample, "input_ids")[..sample.GetProperty("greedy_prompt_len").GetInt32()];
        var images = new List<PromptImage>();
        var prompts = new PromptBuilder(processor.Tokenizer, processor.Template, processor.Images);
        var at = 0;
        foreach (var path in Rows[sample.GetProperty("index").GetInt32()].GetProperty("images").EnumerateArray())
        {
            var image = prompts.Read(Path.Combine(TestFiles.Golden("qwen2_5_vl_tiny/data"), path.GetString()!));
            at = Array.IndexOf(ids, ImageToken, at);
            images.Add(new PromptImage(image.Parts[0], at, image.Plan.Tokens[0]));
            at += images[^1].Tokens;
        }

        return new Prompt(ids, images);
    }

    /// <summary>Logits of the last token with training's attention over everything at once.</summary>
    private float[] Uncached(Prompt prompt, IEnumerable<int> more, VisionLanguageModel? other = null)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        var (m, ids) = (other ?? model, prompt.Ids.Concat(more).Select(id => (long)id).ToArray());
        var input = m.PreparePrompt(ids, prompt.Images, 0, new PackedAttention(new Segments([0, ids.Length])), out _);
        var hidden = m.Hidden(input, m.VisionFeatures(input));
        return hidden.Slice(0, ids.Length - 1, ids.Length).Linear(m.Head.Use()).To(DType.F32).ToArray<float>();
    }
}
