using BenchmarkDotNet.Attributes;
using Fovea.Tensors;

namespace Fovea.Benchmarks;

/// <summary>What a call through the door that makes a tensor costs: a view of, and a product with, one element.</summary>
public class DoorBenchmarks
{
    private const int Calls = 100;

    private Tensor x = null!;

    [GlobalSetup]
    public void Setup() => x = CreateOps.Ones([1]).Keep();

    [GlobalCleanup]
    public void Cleanup() => x.Dispose();

    [Benchmark(OperationsPerInvoke = Calls)]
    public void Detach()
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("bench");
        for (var i = 0; i < Calls; i++)
        {
            x.Detach();
        }
    }

    [Benchmark(OperationsPerInvoke = Calls)]
    public void Multiply()
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("bench");
        for (var i = 0; i < Calls; i++)
        {
            x.Mul(x);
        }
    }
}
