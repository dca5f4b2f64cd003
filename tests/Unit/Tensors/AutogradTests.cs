using System.Collections.Concurrent;

namespace Fovea.Tests.Unit.Tensors;

public sealed class AutogradTests : NativeTest
{
    [Fact]
    public void Recomputed_blocks_give_bitwise_the_gradients_of_kept_ones_also_with_a_frozen_input()
    {
        using var scope = TensorScope.Open("test");
        Torch.Seed(1);
        var x = CreateOps.Empty([64, 32]).Normal_(0, 1);
        var weights = Enumerable.Range(0, 4).Select(_ => Leaf([32, 32])).ToArray();
        Assert.Equal(Run(x, weights, checkpoint: false), Run(x, weights, checkpoint: true));
    }

    [Fact]
    public void An_exception_in_a_recomputed_block_arrives_as_it_was_thrown_and_the_engine_goes_on()
    {
        using var scope = TensorScope.Open("test");
        var w = Leaf([4, 4]);
        var calls = 0;
        var y = Autograd.Checkpoint(
            h => calls++ == 0 ? [h.MatMul(w).Silu()] : throw new InvalidDataException("second time"),
            CreateOps.Ones([2, 4]));
        var e = Assert.Throws<InvalidDataException>(() => Autograd.Backward(y[0].Sum()));
        Assert.Equal("second time", e.Message);
        Autograd.Backward(Autograd.Checkpoint(h => [h.MatMul(w).Silu()], CreateOps.Ones([2, 4]))[0].Sum());
        Assert.NotNull(w.Grad());
    }

    [Fact]
    public void An_exception_on_its_way_through_native_code_stays_on_its_thread()
    {
        using var scope = TensorScope.Open("test");
        var (a, b) = (CreateOps.Ones([2, 3]), CreateOps.Ones([2, 3]));
        Autograd.SetPending(new InvalidDataException("of this thread"));
        Exception? other = null;
        var thread = new Thread(() => other = Record.Exception(() => a.MatMul(b)));
        thread.Start();
        thread.Join();

        Assert.IsType<TorchException>(other);
        Assert.Equal("of this thread", Assert.Throws<InvalidDataException>(() => a.MatMul(b)).Message);
        Assert.Throws<TorchException>(() => a.MatMul(b));
    }

    [Fact]
    public void Hooks_that_throw_on_many_threads_throw_each_on_its_own()
    {
        const int times = 40;
        var wrong = new ConcurrentQueue<string>();
        var threads = Enumerable.Range(0, 6).Select(number => new Thread(() =>
        {
            for (var i = 0; i < times; i++)
            {
                using var scope = TensorScope.Open("test");
                var w = Leaf([2, 3]);
                var error = number % 2 == 0
                    ? Record.Exception(() => w.MatMul(w))
                    : Record.Exception(() =>
                    {
                        Autograd.OnAccumulated(w, () => throw new InvalidDataException($"{number} {i}"));
                        Autograd.Backward(w.Mul(3).Sum());
                    });
                if (number % 2 == 0 ? error is not TorchException : (error as InvalidDataException)?.Message != $"{number} {i}")
                {
                    wrong.Enqueue($"thread {number}, call {i}: {error}");
                }
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());

        Assert.Empty(wrong);
    }

    [Fact]
    public void Nothing_is_recorded_inside_NoGrad()
    {
        using var scope = TensorScope.Open("test");
        var w = Leaf([4, 4]);
        using (Autograd.NoGrad())
        {
            Assert.False(w.Mul(2).RequiresGrad);
            using (Autograd.WithGrad())
            {
                Assert.True(w.Mul(2).RequiresGrad);
            }
        }

        Assert.True(w.Mul(2).RequiresGrad);
    }

    [Fact]
    public void An_accumulation_hook_runs_once_and_may_take_the_gradient_away()
    {
        using var scope = TensorScope.Open("test");
        var w = Leaf([2, 2]);
        var seen = 0;
        Autograd.OnAccumulated(w, () =>
        {
            seen++;
            w.SetGrad(null);
        });
        Autograd.Backward(w.Mul(3).Sum());
        Assert.Equal(1, seen);
        Assert.Null(w.Grad());
    }

    private static Tensor Leaf(long[] shape)
    {
        var w = CreateOps.Empty(shape).Normal_(0, 0.2);
        w.RequiresGrad = true;
        return w;
    }

    private static float[] Run(Tensor x, Tensor[] weights, bool checkpoint)
    {
        var h = x;
        for (var i = 0; i < weights.Length; i += 2)
        {
            var (a, b) = (weights[i], weights[i + 1]);
            Tensor Block(Tensor t) => t.Add(t.MatMul(a).Silu().MatMul(b));
            h = checkpoint ? Autograd.Checkpoint(t => [Block(t)], h)[0] : Block(h);
        }

        Autograd.Backward(h.Pow(2).Sum());
        var all = weights.SelectMany(w => w.Grad()!.ToArray<float>()).ToArray();
        foreach (var w in weights)
        {
            w.SetGrad(null);
        }

        return all;
    }
}
