using System.Text.Json;
using Fovea.Nn;

namespace Fovea.Tests.Unit.Nn;

/// <summary>Label smoothing without logits against Transformers' LabelSmoother (<c>goldens/optim/smoothing.py</c>).</summary>
public sealed class LabelSmoothingTests : NativeTest
{
    private static readonly JsonElement Golden = JsonDocument.Parse(File.ReadAllText(TestFiles.Golden("optim/smoothing.json"))).RootElement;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Loss_and_gradients_are_Transformers(bool headLearns)
    {
        // The frozen head's loss is computed within the caches, the learning one's in chunks of logits.
        using var scope = TensorScope.Open("test");
        var (rows, width, vocabulary) = (Size("rows"), Size("width"), Size("vocabulary"));
        var hidden = Tensor("hidden", rows, width);
        hidden.RequiresGrad = true;
        var weight = Tensor("head", vocabulary, width);
        weight.RequiresGrad = headLearns;
        var head = new Parameter("lm_head.weight", [vocabulary, width], weight, headLearns, DType.F32);
        var targets = CreateOps.From(Golden.GetProperty("labels").EnumerateArray().Select(label => label.GetInt64()).ToArray());
        var weights = CreateOps.Full([rows], 1.0 / rows);

        var (loss, losses, gradient) = LinearCrossEntropy.Queue(hidden, head, targets, weights);
        var (smoothed, widened) = LabelSmoothing.Add(Golden.GetProperty("part").GetDouble(), hidden, head, targets, weights, loss, gradient);

        Assert.Equal(Golden.GetProperty("loss").GetDouble(), smoothed.Item(), 1e-5);
        Assert.Equal(loss.Item(), losses.ToArray<float>().Average(), 1e-5);
        Near("hidden_gradient", widened!);
        if (headLearns)
        {
            Near("head_gradient", head.Value.Grad()!);
            head.Value.SetGrad(null);
        }
    }

    private static void Near(string name, Tensor got)
    {
        var (expected, values) = (Numbers(name), got.ToArray<float>());
        Assert.Equal(expected.Length, values.Length);
        Assert.All(expected.Zip(values), pair => Assert.Equal(pair.First, pair.Second, 1e-6f));
    }

    private static long Size(string name) => Golden.GetProperty(name).GetInt64();

    private static Tensor Tensor(string name, params long[] shape) => CreateOps.From(Numbers(name), shape);

    private static float[] Numbers(string name) => [.. Golden.GetProperty(name).EnumerateArray().Select(number => number.GetSingle())];
}
