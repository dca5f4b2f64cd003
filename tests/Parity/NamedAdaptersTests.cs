using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.FourBit;
using Fovea.Nn.Lora;
using Fovea.Tests.Parity.MiniMindV;

namespace Fovea.Tests.Parity;

/// <summary>For every family: questions that name different adapters are answered in one batch, each with the bits that its adapter gives it alone.</summary>
public sealed class NamedAdaptersTests : NativeTest
{
    private static readonly GenerationOptions Greedy = new() { DoSample = false, MaxNewTokens = 6, StopIds = [] };
    private readonly List<NamedAdapter> adapters = [];
    private MiniMindFolder? miniMind;
    private VisionLanguageModel? model;

    public static TheoryData<string, string> Kinds() => new()
    {
        { "qwen2_5_vl_tiny", nameof(DType.F32) },
        { "qwen2_5_vl_tiny", nameof(DType.BF16) },
        { "qwen2_5_vl_tiny", nameof(DType.F16) },
        { "qwen2_5_vl_tiny", "F32 in 4 bits" },
        { "qwen3_5", "BF16 in 4 bits" },
        { "minimind_c moe", "F32 in 4 bits" },
        { "minimind_a moe", nameof(DType.F32) },
        { "minimind_c moe", nameof(DType.F32) },
        { "minimind_c dense", nameof(DType.BF16) },
        { "minicpm_v26", nameof(DType.F32) },
        { "minicpm_v45", nameof(DType.F32) },
        { "minicpmv4_6", nameof(DType.F32) },
        { "qwen3_vl", nameof(DType.F32) },
        { "qwen3_vl", nameof(DType.BF16) },
        { "qwen3_vl_moe", nameof(DType.F32) },
        { "qwen3_vl_moe", nameof(DType.BF16) },
        { "qwen3_5", nameof(DType.F32) },
        { "qwen3_5", nameof(DType.BF16) },
        { "qwen3_5_moe", nameof(DType.F32) },
        { "qwen3_5_moe", nameof(DType.BF16) },
        { "minicpm_v2", nameof(DType.BF16) },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Each_has_the_bits_of_its_adapter_attached_alone(string name, string type)
    {
        var options = new ModelOptions
        {
            Compute = Enum.Parse<DType>(type.Split(' ')[0]),
            FourBit = type.Contains("4 bits") ? new FourBitOptions(FourBitType.Nf4, DoubleQuantization: true) : null,
        };
        var source = Source(name);
        Drawn[] drawn = [new(rank: 3, seed: 5, _ => true), new(rank: 4, seed: 6, path => path.EndsWith("q_proj", StringComparison.Ordinal))];
        List<Prompt> prompts = [.. Prompts(name, source)];
        var alone = new EngineAnswers?[3];
        for (var which = -1; which < drawn.Length; which++)
        {
            model = source.Load(options);
            if (which >= 0)
            {
                Adapters.Attach(model.Ledger, drawn[which].Options, drawn[which].Matches, drawn[which], trainable: false);
            }

            alone[which + 1] = EngineAnswers.Alone(model, prompts, Greedy);
            model.Dispose();
        }

        Assert.NotEqual(alone[0]!.Logits(0)[0], alone[1]!.Logits(0)[0]);
        Assert.NotEqual(alone[0]!.Logits(0)[0], alone[2]!.Logits(0)[0]);

        model = source.Load(options);
        adapters.AddRange(drawn.Select((one, i) => Adapters.Beside(model.Ledger, $"{i}", one.Options, one.Matches, one)));
        foreach (var (way, settings) in new Dictionary<string, EngineOptions>
        {
            ["together"] = new(),
            ["in chunks"] = new() { PassTokens = 23, VisionPatches = 60 },
        })
        {
            using var engine = new GenerationEngine(model, settings);
            adapters.ForEach(engine.Add);
            for (var round = 0; round < 2; round++)
            {
                // All three take turns, so that their rows would lie among each other.
                var asked = prompts.SelectMany(prompt => Enumerable.Range(-1, 3).Select(which =>
                    (prompt, Greedy with { Adapter = which < 0 ? null : $"{which}" }))).ToList();
                var together = EngineAnswers.Together(engine, asked);
                for (var which = 0; which < 3; which++)
                {
                    alone[which]!.AssertSame(together.Only(i => i % 3 == which), $"{way}, round {round}, adapter {which - 1}");
                }
            }
        }
    }

    [Fact]
    public void A_question_may_name_one_where_the_model_has_its_own()
    {
        var source = Source("qwen2_5_vl_tiny");
        var (own, other) = (new Drawn(rank: 4, seed: 7, _ => true), new Drawn(rank: 4, seed: 8, _ => true));
        List<Prompt> prompts = [.. Prompts("qwen2_5_vl_tiny", source)];
        var alone = new List<EngineAnswers>();
        foreach (var drawn in (Drawn[])[own, other])
        {
            model?.Dispose();
            model = source.Load(new ModelOptions());
            Adapters.Attach(model.Ledger, drawn.Options, drawn.Matches, drawn, trainable: false);
            alone.Add(EngineAnswers.Alone(model, prompts, Greedy));
        }

        model!.Dispose();
        model = source.Load(new ModelOptions());
        Adapters.Attach(model.Ledger, own.Options, own.Matches, own, trainable: false);
        adapters.Add(Adapters.Beside(model.Ledger, "other", other.Options, other.Matches, other));
        using var engine = new GenerationEngine(model);
        adapters.ForEach(engine.Add);
        var together = EngineAnswers.Together(
            engine, [.. prompts.SelectMany(prompt => new[] { (prompt, Greedy), (prompt, Greedy with { Adapter = "other" }) })]);
        alone[0].AssertSame(together.Only(i => i % 2 == 0), "its own");
        alone[1].AssertSame(together.Only(i => i % 2 == 1), "the other");
    }

    [Fact]
    public void A_name_that_is_not_loaded_is_refused_with_those_that_are()
    {
        var source = Source("qwen2_5_vl_tiny");
        model = source.Load(new ModelOptions());
        var drawn = new Drawn(rank: 2, seed: 9, _ => true);
        adapters.Add(Adapters.Beside(model.Ledger, "receipts", drawn.Options, drawn.Matches, drawn));
        using var engine = new GenerationEngine(model);
        adapters.ForEach(engine.Add);
        var error = Assert.Throws<ConfigException>(() => engine.Submit(new EngineRequest
        {
            Prompt = Prompts("qwen2_5_vl_tiny", source).First(), Options = Greedy with { Adapter = "invoices" },
        }));
        Assert.Equal("no adapter named 'invoices' is loaded; there are receipts", error.Message);
    }

    protected override void Cleanup()
    {
        adapters.ForEach(adapter => adapter.Dispose());
        model?.Dispose();
        miniMind?.Dispose();
    }

    private static IEnumerable<Prompt> Prompts(string name, ModelSource source)
    {
        var processor = source.Process();
        var builder = new PromptBuilder(processor.Tokenizer, processor.Template, processor.Images);
        var images = Path.Combine(TestFiles.Golden($"{(name == "minicpm_v45" ? "minicpm_v26" : name.Split(' ')[0])}/data"), "images");
        var picture = name is "minicpmv4_6" ? "000_0.png" : name[..5] switch { "qwen2" or "qwen3" => "000_0.png", "minim" => "i0.png", _ => "sq.png" };
        var image = Path.Combine(images, picture);
        yield return builder.Build(new Conversation([Message.User("Hi")]), []);
        yield return builder.Build(
            new Conversation([builder.Question("What do you see?", [MediaSource.FromFile(image)])]), [builder.Read(image)]);
        var story = string.Concat(Enumerable.Repeat("The quick brown fox jumps over the lazy dog. ", 9));
        yield return builder.Build(new Conversation([Message.User(story)]), []);
    }

    private ModelSource Source(string name)
    {
        if (name.StartsWith("minimind", StringComparison.Ordinal))
        {
            var words = name.Split(' ');
            miniMind ??= new MiniMindFolder(words[0][^1..], words[1]);
            return ModelSource.Open(miniMind.Path);
        }

        return ModelSource.Open(TestFiles.Golden($"{name}/model"));
    }

    // An adapter of some weight, the same however often it is read.
    private sealed class Drawn(int rank, int seed, Func<string, bool> matches) : IWeightSource
    {
        public LoraOptions Options { get; } = new() { Rank = rank, Alpha = seed };

        public Func<string, bool> Matches => matches;

        public IReadOnlyCollection<string> Names => [];

        public bool Has(string name) => true;

        public Tensor Read(string name, long[] shape)
        {
            var random = new Random(seed + name.Sum(letter => letter * 31));
            var values = Enumerable.Range(0, (int)(shape[0] * shape[1])).Select(_ => (float)((random.NextDouble() - 0.5) * 0.2)).ToArray();
            return CreateOps.From(values, shape[0], shape[1]);
        }
    }
}
