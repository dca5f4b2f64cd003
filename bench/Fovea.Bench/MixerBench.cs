using System.Globalization;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Bench;

/// <summary>
/// One Gated DeltaNet mixer of random weights over one sequence, forward and backward with every gradient, and the delta rule in it alone; beside them what
/// their matrix products need at the rate of the fastest product, measured in the same run. On a GPU, in place of that, the rule by operators of libtorch.
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

    private static readonly Operator Formula = new("fovea::delta_rule_formula");

    private readonly Device device;
    private readonly Ledger ledger;
    private readonly GatedDeltaMixer mixer;
    private readonly PackedAttention plan = new(new Segments([0, Tokens]));
    private readonly Tensor[] inputs;

    private MixerBench(DType dtype, Device device)
    {
        this.device = device;
        Torch.Seed(1);
        ledger = new Ledger(new RandomSource(0.02), new LedgerOptions { Device = device, Compute = dtype, Master = dtype, Trainable = _ => true });
        mixer = new GatedDeltaMixer(ledger.Root, Shape, 0);
        using var scope = TensorScope.Open("bench");
        Tensor Normal(params long[] shape) => CreateOps.Empty(shape).Normal_(0, 1).To(device).To(dtype).Keep();
        inputs =
        [
            Normal(Tokens, Shape.Width), Normal(Tokens, Shape.Width),
            Normal(Tokens, Shape.KeyHeads, Shape.KeySize), Normal(Tokens, Shape.KeyHeads, Shape.KeySize), Normal(Tokens, Shape.ValueHeads, Shape.ValueSize),
            CreateOps.Empty([Tokens, Shape.ValueHeads]).Uniform_(-1, 0).To(device).Keep(),
            CreateOps.Empty([Tokens, Shape.ValueHeads]).Uniform_(0, 1).To(device).Keep(),
            Normal(Tokens, Shape.ValueHeads, Shape.ValueSize),
        ];
    }

    /// <summary>Of the linears: forward, and back to input and weight.</summary>
    private double Linears => ledger.Linears.Sum(linear => 3.0 * 2 * Tokens * linear.Inputs * linear.Outputs);

    /// <summary>Of the rule's chunks, half of what is square: three products with a state forward, eight backward with those that are made again.</summary>
    private static double Rule =>
        (double)Tokens * Shape.ValueHeads
        * ((11.0 * 2 * Shape.KeySize * Shape.ValueSize) + (Chunk * ((9.0 * Shape.KeySize) + (7.0 * Shape.ValueSize))));

    public static SmallResult Run(DType dtype, Device device, int rounds, bool withPeer)
    {
        var onHost = device.Type == DeviceType.Cpu;
        if (withPeer && !onHost)
        {
            throw new ConfigException("--peer measures on the CPU; leave out one of --peer and --device");
        }

        var type = dtype == DType.BF16 ? "bf16" : "fp32";
        using var peer = withPeer ? new PeerProcess("mixer.py", "--dtype", type, "--threads", $"{Torch.Threads}") : null;
        using var bench = new MixerBench(dtype, device);
        peer?.Read();
        string[] names = ["mixer", "rule", .. onHost ? Array.Empty<string>() : ["rule_by_libtorch"]];
        foreach (var name in names)
        {
            bench.Once(name);
        }

        var (ours, theirs) = (names.ToDictionary(name => name, _ => new Timings()), names.ToDictionary(name => name, _ => new List<double>()));
        var rate = 0.0;
        for (var round = 0; round < rounds; round++)
        {
            rate = onHost ? Math.Max(rate, DecodeFloor.ProductRate(dtype)) : 0;
            foreach (var name in names)
            {
                ours[name].Measure(() => bench.Once(name));
                if (peer?.Ask(name) is { } answer)
                {
                    theirs[name].Add((double)answer["seconds"]!);
                }
            }
        }

        var floors = !onHost ? null : new Dictionary<string, double>
        {
            ["products_gigaflops_per_second"] = rate / 1e9,
            ["mixer_over_floor"] = ours["mixer"].Median / ((bench.Linears + Rule) / rate),
            ["rule_over_floor"] = ours["rule"].Median / (Rule / rate),
        };
        var place = onHost ? "CPU" : Devices.NameOf(device);
        return new SmallResult("mixer", Figures(name => ours[name].Wall))
        {
            Settings = string.Create(
                CultureInfo.InvariantCulture,
                $"{Tokens} tokens of {Shape.Width}, {Shape.ValueHeads} heads of {Shape.KeySize} and {Shape.ValueSize}, {type}, {place}"),
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

    private void Once(string name)
    {
        switch (name)
        {
            case "mixer":
                Whole();
                break;
            case "rule":
                Alone(x => RecurrentOps.DeltaRule(x[0], x[1], x[2], x[3], x[4], [0, Tokens]));
                break;
            default:
                Alone(x => Formula.CallTwo(x[0], x[1], x[2], x[3], x[4], (long[])[0, Tokens], (Tensor?)null).First);
                break;
        }

        Devices.Synchronize(device);
    }

    private void Whole()
    {
        using var scope = TensorScope.Open("step");
        var x = inputs[0].Detach();
        x.RequiresGrad = true;
        Autograd.Gradients(mixer.Forward(x, plan), [x, .. ledger.Trainable.Select(p => p.Value)], inputs[1]);
    }

    private void Alone(Func<Tensor[], Tensor> rule)
    {
        using var scope = TensorScope.Open("step");
        var leaves = Array.ConvertAll(inputs[2..7], input => input.Detach());
        foreach (var leaf in leaves)
        {
            leaf.RequiresGrad = true;
        }

        Autograd.Gradients(rule(leaves), leaves, inputs[7]);
    }
}
