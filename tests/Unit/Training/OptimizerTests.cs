using Fovea.Training.Config;
using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>
/// Optimizers against PyTorch's and Transformers' own classes (<c>goldens/optim/optimizers.py</c>), and what a checkpoint and ranks ask of each.
/// </summary>
public sealed class OptimizerTests : NativeTest
{
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-optim").FullName;

    public static TheoryData<string> Names => [.. OptimizerWeights.Golden.GetProperty("cases").EnumerateObject().Select(one => one.Name)];

    [Theory, MemberData(nameof(Names))]
    public void Twenty_steps_are_those_of_the_peer(string name)
    {
        using var weights = new OptimizerWeights(OptimizerWeights.Keys(name));
        var done = 0;
        foreach (var seen in OptimizerWeights.Golden.GetProperty("cases").GetProperty(name).GetProperty("after").EnumerateObject())
        {
            var steps = int.Parse(seen.Name, System.Globalization.CultureInfo.InvariantCulture);
            weights.Run(steps - done);
            done = steps;
            foreach (var expected in seen.Value.EnumerateObject())
            {
                var (wanted, got) = (OptimizerWeights.Numbers(expected.Value), weights.Of(expected.Name));
                for (var i = 0; i < wanted.Length; i++)
                {
                    Assert.True(Math.Abs(wanted[i] - got[i]) < 2e-6, $"step {steps}, {expected.Name}[{i}]: {got[i]}, not {wanted[i]}");
                }
            }
        }

        Assert.Equal(20, done);
    }

    [Theory]
    [InlineData("sgd", 3)]
    [InlineData("sgd_nesterov", 3)]
    [InlineData("sgd_dampening", 2)]
    [InlineData("lion", 3)]
    [InlineData("adafactor", 1)]
    [InlineData("muon", 1)]
    public void Flattened_parts_move_as_whole_weights_do(string name, int pieces)
    {
        using var one = new OptimizerWeights(OptimizerWeights.Keys(name));
        using var parts = new OptimizerWeights(OptimizerWeights.Keys(name), pieces);
        one.Run(5);
        parts.Run(5);

        Assert.Equal(one.All, parts.All);
    }

    [Theory]
    [InlineData("adafactor")]
    [InlineData("muon")]
    public void A_part_of_a_matrix_is_nothing_to_those_that_need_all_of_it(string name) =>
        Assert.Contains("layers.0.proj.weight", Assert.Throws<InvalidOperationException>(() => Divided(name)).Message);

    [Theory, MemberData(nameof(Names))]
    public void A_run_goes_on_to_the_last_bit_from_its_files(string name)
    {
        using var straight = new OptimizerWeights(OptimizerWeights.Keys(name));
        straight.Run(4);
        OptimizerFiles.Write(folder, straight.Optimizer, 0, 1);
        straight.Run(5);

        using var resumed = new OptimizerWeights(OptimizerWeights.Keys(name));
        resumed.Skip(4);
        using (var files = OptimizerFiles.Open(folder))
        {
            resumed.Optimizer.Restore(files.Read);
        }

        resumed.Run(5);
        Assert.Equal(straight.All, resumed.All);
    }

    [Theory, MemberData(nameof(Names))]
    public void A_loss_that_is_no_number_changes_nothing(string name)
    {
        using var weights = new OptimizerWeights(OptimizerWeights.Keys(name));
        weights.Run(2);
        var (before, state) = (weights.All, State(weights));
        weights.Run(1, loss: double.NaN);

        Assert.Equal(before, weights.All);
        Assert.Equal(state, State(weights));
    }

    [Theory, MemberData(nameof(Names))]
    public void Scaled_gradients_are_divided_again(string name)
    {
        using var plain = new OptimizerWeights(OptimizerWeights.Keys(name));
        using var scaled = new OptimizerWeights(OptimizerWeights.Keys(name));
        plain.Run(3);
        scaled.Run(3, scale: 1024);

        Assert.Equal(plain.All, scaled.All);
    }

    [Fact]
    public void A_file_of_another_optimizer_is_named()
    {
        using var lion = new OptimizerWeights(OptimizerWeights.Keys("lion"));
        OptimizerFiles.Write(folder, lion.Optimizer, 0, 1);
        using var muon = new OptimizerWeights(OptimizerWeights.Keys("muon"));
        using var files = OptimizerFiles.Open(folder);

        Assert.Contains("momentum_buffer", Assert.Throws<CheckpointException>(() => muon.Optimizer.Restore(files.Read)).Message);
    }

    [Theory]
    [InlineData("optim: sgd", 0)]
    [InlineData("optim: sgd\noptim_args: momentum=0.9", 1)]
    [InlineData("optim: lion", 1)]
    [InlineData("optim: adamw_hf", 2)]
    public void The_plan_counts_what_is_kept(string keys, double perElement)
    {
        using var weights = new OptimizerWeights(keys);
        Assert.Equal(perElement, PerElement(weights, keys));
    }

    [Fact]
    public void The_plan_counts_matrices_by_their_rows_and_columns()
    {
        // Matrices 6x4 and 3x8, a bias of 5, embeddings 4x3, and a convolution 2x3x2x2, whose last two dimensions are its matrix.
        const double elements = 24 + 24 + 5 + 12 + 24;
        using var adafactor = new OptimizerWeights("optim: adafactor");
        using var muon = new OptimizerWeights("optim: muon");
        Assert.Equal((10 + 11 + 5 + 7 + 12 + 12) / elements, PerElement(adafactor, "optim: adafactor"), 1e-12);
        Assert.Equal((24 + 24 + (2 * (5 + 12 + 24))) / elements, PerElement(muon, "use_muon: true"), 1e-12);
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private static void Divided(string name)
    {
        using var weights = new OptimizerWeights(OptimizerWeights.Keys(name), 2);
    }

    private static double PerElement(OptimizerWeights weights, string keys)
    {
        // What the optimizer itself gives agrees with what is counted before there is one.
        var parameters = weights.Optimizer.Parts.Select(part => part.Parameter).ToList();
        var counted = Optimizers.StatesPerElement(Parse(keys).Optimizer, parameters, sizeof(float));
        string[] others = [".step", ".master"];
        var kept = weights.Optimizer.State.Where(s => !others.Contains(Path.GetExtension(s.Name)));
        Assert.Equal(kept.Sum(s => s.Value.Count), counted * parameters.Sum(p => p.Count), 1e-6);
        return counted;
    }

    private static Dictionary<string, double[]> State(OptimizerWeights weights)
    {
        using var scope = TensorScope.Open("test");
        return weights.Optimizer.State.ToDictionary(s => s.Name, s => s.Value.To(DType.F64).ToArray<double>());
    }

    private static TrainConfig Parse(string keys) => TrainConfig.Parse("model_name_or_path: m\n" + keys, "c.yaml", use: ConfigUse.Plan);
}
