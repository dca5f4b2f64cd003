using System.Text.Json;
using Fovea.Nn;
using Fovea.Training.Config;
using Fovea.Training.Optim;

namespace Fovea.Tests.Unit.Training;

/// <summary>The weights and gradients of <c>goldens/optim/optimizers.json</c>, and an optimizer over them, whole or as flattened parts.</summary>
internal sealed class OptimizerWeights : IDisposable
{
    public static readonly JsonElement Golden = JsonDocument.Parse(File.ReadAllText(TestFiles.Golden("optim/optimizers.json"))).RootElement;

    private readonly Dictionary<string, List<Tensor>> values = [];
    private readonly List<(Parameter Parameter, string Name)> whole = [];
    private int step;

    /// <param name="keys">Lines of a configuration.</param>
    /// <param name="pieces">In how many parts each weight is divided; 0 leaves it in its shape.</param>
    public OptimizerWeights(string keys, int pieces = 0)
    {
        var parts = new List<ParameterShard>();
        foreach (var shape in Golden.GetProperty("shapes").EnumerateObject())
        {
            long[] sizes = [.. shape.Value.EnumerateArray().Select(size => size.GetInt64())];
            var start = Numbers(Golden.GetProperty("start").GetProperty(shape.Name));
            var all = CreateOps.From(start, sizes).Keep();
            var parameter = new Parameter(shape.Name, sizes, all, true, DType.F32);
            values[shape.Name] = [all];
            whole.Add((parameter, shape.Name));
            if (pieces == 0)
            {
                parts.Add(new ParameterShard(parameter));
                continue;
            }

            var size = (start.Length + pieces - 1) / pieces;
            for (var first = 0; first < start.Length; first += size)
            {
                var range = first..Math.Min(first + size, start.Length);
                var value = CreateOps.From(start[range]).Keep();
                values[shape.Name].Add(value);
                parts.Add(new ParameterShard(parameter, first, value, () => CreateOps.From(Gradient(shape.Name)[range])));
            }
        }

        Divided = pieces > 0;
        var config = TrainConfig.Parse("model_name_or_path: m\n" + keys, "c.yaml", use: ConfigUse.Plan);
        try
        {
            Optimizer = Optimizers.Create(config, parts);
        }
        catch
        {
            DisposeValues();
            throw;
        }
    }

    public static string Keys(string name) => Golden.GetProperty("cases").GetProperty(name).GetProperty("keys").GetString()!;

    public IOptimizer Optimizer { get; }

    private bool Divided { get; }

    /// <summary>The updates of so many steps with the golden's gradients and rates.</summary>
    public void Run(int steps, double loss = 0, double scale = 1)
    {
        for (var end = step + steps; step < end; step++)
        {
            using var scope = TensorScope.Open("step");
            foreach (var (parameter, name) in whole.Where(_ => !Divided))
            {
                parameter.Value.SetGrad(CreateOps.From(Array.ConvertAll(Gradient(name), g => (float)(g * scale)), parameter.Shape));
            }

            Optimizer.Update(Golden.GetProperty("rates")[step].GetDouble(), 0, CreateOps.Full([], loss, DType.F32), scale: scale);
        }
    }

    /// <summary>Says that so many steps are done.</summary>
    public void Skip(int steps) => step += steps;

    public float[] Of(string name)
    {
        var tensors = values[name];
        return [.. (Divided ? tensors.Skip(1) : tensors).SelectMany(t => t.ToArray<float>())];
    }

    public IReadOnlyDictionary<string, float[]> All => values.Keys.ToDictionary(name => name, Of);

    public void Dispose()
    {
        Optimizer.Dispose();
        DisposeValues();
    }

    private void DisposeValues()
    {
        foreach (var tensor in values.Values.SelectMany(list => list))
        {
            tensor.SetGrad(null);
            tensor.Dispose();
        }
    }

    public static float[] Numbers(JsonElement list) => [.. list.EnumerateArray().Select(number => number.GetSingle())];

    private float[] Gradient(string name) => Numbers(Golden.GetProperty("gradients")[step].GetProperty(name));
}
