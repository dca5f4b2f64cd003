using System.Globalization;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Bench;

/// <summary>
/// One Gated DeltaNet mixer of random weights over one sequence, forward and backward with every gradient, and the delta rule in it alone; beside them what
/// their matrix products need at the rate of the fastest product, measured in the same run.
/// </summary>
internal sealed class MixerBench : IDisposable
{
    private const int Tokens = 2048;

    // Tokens whose corrections the kernel solves for together.
    private const int Chunk = 64;

    private static readonly GatedDeltaShape Shape = new()
    {
        Width = 1024, KeyHeads = 16, KeySize = 128, ValueHeads = 16, ValueSize = 128, ConvolutionLength = 4, NormEpsilon = 1e-6,
    };

    private readonly Ledger ledger;
    private readonly GatedDeltaMixer mixer;
    private readonly PackedAttention plan = new(new Segments([0, Tokens]));
    private readonly Tensor[] inputs;

    private MixerBench(DType dtype)
    {
        Torch.Seed(1);
        ledger = new Ledger(new RandomSource(0.02), new LedgerOptions { Compute = dtype, Master = dtype, Trainable = _ => true });
        mixer = new GatedDeltaMixer(ledger.Root, Shape, 0);
        using var scope = TensorScope.Open("bench");
        Tensor Normal(params long[] shape) => CreateOps.Empty(shape).Normal_(0, 1).To(dtype).Keep();
        inputs =
        [
            Normal(Tokens, Shape.Width), Normal(Tokens, Shape.Width),
            Normal(Tokens, Shape.KeyHeads, Shape.KeySize), Normal(Tokens, Shape.KeyHeads, Shape.KeySize), Normal(Tokens, Shape.ValueHeads, Shape.ValueSize),
            CreateOps.Empty([Tokens, Shape.ValueHeads]).Uniform_(-1, 0).Keep(), CreateOps.Empty([Tokens, Shape.ValueHeads]).Uniform_(0, 1).Keep(),
            Normal(Tokens, Shape.ValueHeads, Shape.ValueSize),
        ];
    }

    /// <summary>Of the linears: forward, and back to input and weight.</summary>
    private double Linears => ledger.Linears.Sum(linear => 3.0 * 2 * Tokens * linear.Inputs * linear.Outputs);

    /// <summary>Of the rule's chunks, half of what is square: three products with a state forward, eight backward with those that are made again.</summary>
    private static double Rule =>
        (double)Tokens * Shape.ValueHeads
        * ((11.0 * 2 * Shape.KeySize * Shape.ValueSize) + (Chunk * ((9.0 * Shape.KeySize) + (7.0 * Shape.ValueSize))));

    public static SmallResult Run(DType dtype, int rounds, bool withPeer)
    {
        var type = dtype == DType.BF16 ? "bf16" : "fp32";
        using var peer = withPeer ? new PeerProcess("mixer.py", "--dtype", type, "--threads", $"{Torch.Threads}") : null;
        using var bench = new MixerBench(dtype);
        bench.Whole();
        bench.Alone();
        peer?.Read();
        string[] names = ["mixer", "rule"];
        var (ours, theirs) = (names.ToDictionary(name => name, _ => new Timings()), names.ToDictionary(name => name, _ => new List<double>()));
        var rate = 0.0;
        for (var round = 0; round < rounds; round++)
        {
            rate = Math.Max(rate, DecodeFloor.ProductRate(dtype));
            foreach (var name in names)
            {
                ours[name].Measure(name == "mixer" ? bench.Whole : bench.Alone);
                if (peer?.Ask(name) is { } answer)
                {
                    theirs[name].Add((double)answer["seconds"]!);
                }
            }
        }

        var floors = new Dictionary<string, double>
        {
            ["products_gigaflops_per_second"] = rate / 1e9,
            ["mixer_over_floor"] = ours["mixer"].Median / ((bench.Linears + Rule) / rate),
            ["rule_over_floor"] = ours["rule"].Median / (Rule / rate),
        };
        return new SmallResult("mixer", Figures(name => ours[name].Wall))
        {
            Settings = string.Create(
                CultureInfo.InvariantCulture,
                $"{Tokens} tokens of {Shape.Width}, {Shape.ValueHeads} heads of {Shape.KeySize} and {Shape.ValueSize}, {type}"),
            Libtorch = Torch.Version,
            Floors = floors,
            Peer = peer is null ? null : Figures(name => theirs[name]),
        };

        Dictionary<string, double> Figures(Func<string, IReadOnlyCollection<double>> seconds) => names.SelectMany(name => new[]
        {
            ($"{name}_seconds_median", Timings.MedianOf(seconds(name))), ($"{name}_seconds_best", seconds(name).Min()),
        }).ToDictionary(pair => pair.Item1, pair => pair.Item2);
    }

    public void Dispose()
    {
        foreach (var tensor in inputs)
        {
            tensor.Dispose();
        }

        ledger.Dispose();
    }

    private void Whole()
    {
        using var scope = TensorScope.Open("step");
        var x = inputs[0].Detach();
        x.RequiresGrad = true;
        Autograd.Gradients(mixer.Forward(x, plan), [x, .. ledger.Trainable.Select(p => p.Value)], inputs[1]);
    }

    private void Alone()
    {
        using var scope = TensorScope.Open("step");
        var leaves = Array.ConvertAll(inputs[2..7], input => input.Detach());
        foreach (var leaf in leaves)
        {
            leaf.RequiresGrad = true;
        }

        Autograd.Gradients(RecurrentOps.DeltaRule(leaves[0], leaves[1], leaves[2], leaves[3], leaves[4], [0, Tokens]), leaves, inputs[7]);
    }
}
