using System.Diagnostics;
using Fovea.Models;
using Fovea.Tensors;

namespace Fovea.Bench;

/// <summary>
/// The time that generation needs at least: the larger of what must be read over the rate of memory, and what must be multiplied over the rate of products.
/// </summary>
internal sealed class DecodeFloor(VisionLanguageModel model, DType dtype, int batch, double bandwidth, double rate)
{
    private const long ReadBytes = 1L << 29;
    private const int Tower = 576; // patches of the prompt's image

    private readonly double language = model.Ledger.Linears.Where(linear => !IsVision(linear.Path)).Sum(linear => (double)linear.Weight.Count);
    private readonly double vision = model.Ledger.Linears.Where(linear => IsVision(linear.Path)).Sum(linear => (double)linear.Weight.Count
        / (linear.Path.Contains("merger", StringComparison.Ordinal) ? 4 : 1));

    /// <summary>Bytes a second at which all threads together read memory.</summary>
    public static double Bandwidth()
    {
        using var scope = TensorScope.Open("floor");
        var memory = CreateOps.Ones([ReadBytes / sizeof(float)]);
        var best = double.MaxValue;
        for (var i = 0; i < 4; i++)
        {
            var started = Stopwatch.GetTimestamp();
            memory.Sum();
            best = Math.Min(best, Stopwatch.GetElapsedTime(started).TotalSeconds);
        }

        return ReadBytes / best;
    }

    /// <summary>Operations a second of the fastest product of matrices of this type.</summary>
    public static double ProductRate(DType dtype)
    {
        const int rows = 1024, inner = 1024, columns = 2816;
        var best = Enum.GetValues<ProductKernel>().Where(kernel => ProductKernels.Fit(dtype, kernel))
            .Min(kernel => Enumerable.Range(0, 3).Min(_ => ProductKernels.Seconds(dtype, kernel, rows, inner, columns, ProductForm.Forward, times: 1)));
        return 2.0 * rows * inner * columns / best;
    }

    /// <summary>Seconds for so many steps behind prompts of so many tokens: the weights once a step, keys and values of every sequence, the head.</summary>
    public double Decode(int promptTokens, int steps)
    {
        var shape = model.KeyValueShape;
        var cache = 2.0 * model.Layers * shape.Heads * shape.Size * dtype.Size() * batch * (promptTokens + (steps / 2.0));
        var weights = language + model.Head.Count;
        return steps * Math.Max(((weights * dtype.Size()) + cache) / bandwidth, 2 * weights * batch / rate);
    }

    /// <summary>Seconds for the prompts: every token through the decoder, every patch through the tower, a row of each through the head.</summary>
    public double Prefill(int promptTokens)
    {
        var operations = 2 * batch * ((language * promptTokens) + (vision * Tower) + model.Head.Count);
        return Math.Max((language + vision + model.Head.Count) * dtype.Size() / bandwidth, operations / rate);
    }

    private static bool IsVision(string path) => path.StartsWith("visual.", StringComparison.Ordinal);
}
