using System.Text.Json;
using Fovea.Tensors.Safetensors;

namespace Fovea.Tests.Parity;

/// <summary>Reference tensors and numbers of the original stack, and how near ours must be.</summary>
public sealed class Golden : IDisposable
{
    private readonly Checkpoint file;

    public Golden(string path) => file = Checkpoint.Open(path);

    /// <summary>Behind the name of a tensor of which the file holds every seventh element alone, in a row.</summary>
    private const string Thinned = "#7";

    public IEnumerable<string> Names => file.Tensors.Keys.Select(name => name.Replace(Thinned, string.Empty, StringComparison.Ordinal));

    public static JsonElement Json(string path)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        return document.RootElement.Clone();
    }

    public float[] Floats(string name) => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(file[name].Span).ToArray();

    /// <summary>What the file holds of a tensor, beside the same elements of another.</summary>
    public (float[] Expected, T[] Actual) Pairs<T>(string name, T[] actual)
    {
        if (file.Tensors.ContainsKey(name))
        {
            return (Elements(name), actual);
        }

        return (Elements(name + Thinned), [.. actual.Where((_, i) => i % 7 == 0)]);

        float[] Elements(string stored) => file[stored].DType == DType.U8 ? Array.ConvertAll(Bytes(stored), b => (float)b) : Floats(stored);
    }

    public byte[] Bytes(string name) => file[name].Span.ToArray();

    public long[] Longs(string name) => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, long>(file[name].Span).ToArray();

    public long[] Shape(string name) => file[name].Shape;

    /// <summary>Asserts that shape and every element agree within an absolute tolerance.</summary>
    public void Near(string name, Tensor actual, double tolerance)
    {
        Assert.Equal(file[name].Shape, actual.Shape);
        Near(name, Floats(name), actual.Detach().To(DType.F32).ToArray<float>(), tolerance);
    }

    public static void Near(string what, float[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        var worst = 0.0;
        for (var i = 0; i < expected.Length; i++)
        {
            worst = Math.Max(worst, Math.Abs((double)expected[i] - actual[i]));
            Assert.False(float.IsNaN(actual[i]), $"{what}: element {i} is NaN");
        }

        tolerance = TestDevice.Tolerance(tolerance);
        Assert.True(worst <= tolerance, $"{what}: the largest difference is {worst:g3}, allowed {tolerance:g3}");
    }

    /// <summary>Asserts that the difference is small beside the length of the expected vector.</summary>
    public static void NearRelative(string what, float[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        double difference = 0, length = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            difference += Math.Pow((double)expected[i] - actual[i], 2);
            length += Math.Pow(expected[i], 2);
        }

        var relative = Math.Sqrt(difference) / Math.Max(Math.Sqrt(length), 1e-12);
        tolerance = TestDevice.Tolerance(tolerance);
        Assert.True(relative <= tolerance, $"{what}: relative difference {relative:g3}, allowed {tolerance:g3}");
    }

    public void Dispose() => file.Dispose();
}
