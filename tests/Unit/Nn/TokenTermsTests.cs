using Fovea.Nn;

namespace Fovea.Tests.Unit.Nn;

/// <summary>z-loss and dynamic fine-tuning without logits, against their formulas over logits with autograd.</summary>
public sealed class TokenTermsTests : NativeTest
{
    private static readonly Operator LogSumExp = new("aten::logsumexp");

    [Theory]
    [InlineData(0.01, false, true)]
    [InlineData(0.01, false, false)]
    [InlineData(0, true, true)]
    [InlineData(0, true, false)]
    [InlineData(0.05, true, true)]
    [InlineData(0.05, true, false)]
    public void Losses_and_gradients_are_the_formula_s(double z, bool dynamic, bool headLearns)
    {
        using var scope = TensorScope.Open("test");
        var (rows, classes, width) = (23, 301, 40);
        Torch.Seed(5);
        var x = CreateOps.Empty([rows, width]).Normal_(0, 1);
        var w = CreateOps.Empty([classes, width]).Normal_(0, 0.3);
        var targets = CreateOps.From(Enumerable.Range(0, rows).Select(i => (long)(i * 37 % classes)).ToArray());
        var weights = CreateOps.From(Enumerable.Range(0, rows).Select(i => (1 + (i % 3)) / 50f).ToArray());

        var (hidden, head) = (x.Clone(), w.Clone());
        hidden.RequiresGrad = true;
        head.RequiresGrad = headLearns;
        var parameter = new Parameter("lm_head.weight", [classes, width], head, headLearns, DType.F32);
        var (loss, losses, gradient) = LinearCrossEntropy.Queue(hidden, parameter, targets, weights, TokenTerms.Of(z, dynamic));

        var (given, table) = (x.Clone(), w.Clone());
        given.RequiresGrad = table.RequiresGrad = true;
        var logits = given.Linear(table);
        var entropy = logits.CrossEntropy(targets);
        var lse = LogSumExp.Call(logits, (long[])[1], false);
        var token = (dynamic ? entropy.Mul(entropy.Detach().Neg().Exp()) : entropy).Add(lse.Mul(lse).Mul(z));
        var expected = token.Mul(weights).Sum();
        Autograd.Backward(expected);

        Assert.Equal(expected.Item(), loss.Item(), 1e-5);
        Near(entropy, losses, 1e-5f);
        Near(given.Grad()!, gradient!, 1e-5f);
        if (headLearns)
        {
            Near(table.Grad()!, head.Grad()!, 1e-5f);
            head.SetGrad(null);
        }

        given.SetGrad(null);
        table.SetGrad(null);
    }

    [Fact]
    public void Without_a_term_there_is_nothing_to_shape() => Assert.Null(TokenTerms.Of(0, false));

    private static void Near(Tensor expected, Tensor got, float tolerance) => Assert.All(
        expected.Detach().ToArray<float>().Zip(got.Detach().ToArray<float>()), pair => Assert.Equal(pair.First, pair.Second, tolerance));
}
